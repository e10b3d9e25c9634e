// The gated cell, RMS norm, SwiGLU, dropout and row-wise RMSprop, each on one row.
// Included per instruction set, after elementwise-inl.h. A vector's values are read before any is
// written, so that outputs may lie where inputs of the same index do.
#pragma once

namespace slm {
namespace {

// swish(x) = x σ(x) and its derivative, σ + x σ (1 − σ).
struct Swish {
  explicit Swish(Vec x) : sigma(sigmoid(x)), value(x * sigma) {}
  Vec derivative() const { return fmadd(value, Vec::all(1.0f) - sigma, sigma); }

  Vec sigma, value;
};

void gated_forward(const float* gates, const float* h_before, float* h, float* s, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec a = sigmoid(load_lanes(gates + i, lanes));
    const Vec z = load_lanes(gates + n + i, lanes);
    const Swish out(load_lanes(gates + 2 * n + i, lanes));
    // Not z + a (h - z): a state that is kept (a = 1) should stay the same to the bit.
    const Vec now = fmadd(a, load_lanes(h_before + i, lanes), (Vec::all(1.0f) - a) * z);
    store_lanes(now, h + i, lanes);
    store_lanes(now * out.value, s + i, lanes);
  });
}

// With w = swish(g) and dh the sum of what comes from s and from the next time step:
//   dg = ds h w',  df = dh (h_before − z) a (1 − a),  dz = dh (1 − a),  dh_before = dh a
void gated_backward(const float* gates, const float* h_before, const float* h, const float* ds,
                    float* dh, float* s, float* d_gates, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec a = sigmoid(load_lanes(gates + i, lanes));
    const Vec z = load_lanes(gates + n + i, lanes);
    const Swish out(load_lanes(gates + 2 * n + i, lanes));
    const Vec now = load_lanes(h + i, lanes), before = load_lanes(h_before + i, lanes);
    const Vec d_out = load_lanes(ds + i, lanes);
    const Vec d_now = fmadd(d_out, out.value, load_lanes(dh + i, lanes));
    const Vec d_before = d_now * a, d_z = d_now * (Vec::all(1.0f) - a);
    store_lanes(now * out.value, s + i, lanes);
    store_lanes(d_before, dh + i, lanes);
    store_lanes((before - z) * (a * d_z), d_gates + i, lanes);
    store_lanes(d_z, d_gates + n + i, lanes);
    store_lanes((d_out * now) * out.derivative(), d_gates + 2 * n + i, lanes);
  });
}

// f(i, lanes, sum) returns `sum` with the terms of the next values added to its lanes.
template <class F>
inline float row_sum(int64_t n, const F& f) {
  LaneSum sum;
  for (int64_t i = 0; i < n; i += 16)
    for (int j = 0; j < LaneSum::kVecs; ++j) {
      const int64_t at = i + j * Vec::kLanes;
      if (at < n) sum.lanes[j] = f(at, n - at, sum.lanes[j]);
    }
  return sum.total();
}

inline float sum_of_products(const float* x, const float* y, int64_t n) {
  return row_sum(n, [=](int64_t i, int64_t lanes, Vec sum) {
    return fmadd(load_lanes(x + i, lanes), load_lanes(y + i, lanes), sum);
  });
}

// 1 / sqrt(mean(x²) + 1e-6) in every lane.
inline Vec inverse_rms(const float* x, int64_t n) {
  const float mean = sum_of_products(x, x, n) / static_cast<float>(n);
  return Vec::all(1.0f) / sqrt(Vec::all(mean + 1e-6f));
}

void rms_forward(const float* x, const float* w, float* y, int64_t n) {
  const Vec r = inverse_rms(x, n);
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    store_lanes(load_lanes(w + i, lanes) * (load_lanes(x + i, lanes) * r), y + i, lanes);
  });
}

// With u = x r, r = 1 / rms(x):  dw = dy u,  dx = r (w dy − u mean(w dy u))
void rms_backward(const float* x, const float* w, float* dy, float* dx, int64_t n) {
  const Vec r = inverse_rms(x, n);
  // Sums over x instead of u, so that this sum need not wait for the one in r.
  const float sum = row_sum(n, [=](int64_t i, int64_t lanes, Vec so_far) {
    const Vec d_u = load_lanes(w + i, lanes) * load_lanes(dy + i, lanes);
    return fmadd(d_u, load_lanes(x + i, lanes), so_far);
  });
  const Vec mean = r * Vec::all(sum / static_cast<float>(n));
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec u = load_lanes(x + i, lanes) * r, d = load_lanes(dy + i, lanes);
    const Vec d_u = fnmadd(u, mean, load_lanes(w + i, lanes) * d);
    store_lanes(fmadd(r, d_u, load_lanes(dx + i, lanes)), dx + i, lanes);
    store_lanes(d * u, dy + i, lanes);
  });
}

void swiglu_forward(const float* q, float* m, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Swish gate(load_lanes(q + i, lanes));
    store_lanes(gate.value * load_lanes(q + n + i, lanes), m + i, lanes);
  });
}

void swiglu_backward(const float* q, const float* dm, float* m, float* dq, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Swish gate(load_lanes(q + i, lanes));
    const Vec up = load_lanes(q + n + i, lanes), d = load_lanes(dm + i, lanes);
    store_lanes(gate.value * up, m + i, lanes);
    store_lanes((d * up) * gate.derivative(), dq + i, lanes);
    store_lanes(d * gate.value, dq + n + i, lanes);
  });
}

// Strips of columns whose sums stay in registers, and read whole cache lines.
void bias_grad(const float* x, int64_t x_stride, int64_t rows, float* out, int64_t n) {
  constexpr int kVecs = 64 / Vec::kLanes < 8 ? 64 / Vec::kLanes : 8;
  const auto strip = [=](int64_t begin, auto whole) {
    Vec sums[kVecs];
    for (Vec& sum : sums) sum = Vec::zero();
    const auto lanes = [=](int v) {
      return decltype(whole)::value ? int64_t{Vec::kLanes} : n - begin - v * Vec::kLanes;
    };
    for (int64_t r = 0; r < rows; ++r)
      for (int v = 0; v < kVecs; ++v)
        sums[v] = sums[v] + load_lanes(x + r * x_stride + begin + v * Vec::kLanes, lanes(v));
    for (int v = 0; v < kVecs; ++v) {
      float* to = out + begin + v * Vec::kLanes;
      store_lanes(load_lanes(to, lanes(v)) + sums[v], to, lanes(v));
    }
  };
  constexpr int64_t kWidth = kVecs * Vec::kLanes;
  int64_t begin = 0;
  for (; begin + kWidth <= n; begin += kWidth) strip(begin, std::true_type());
  if (begin < n) strip(begin, std::false_type());
}

void drop(const uint16_t* bits, uint32_t threshold, float scale, const float* x, float* y,
          int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const uint16_t* numbers = bits + i;
    uint16_t padded[Vec::kLanes] = {};
    if (lanes < Vec::kLanes) {
      for (int64_t k = 0; k < lanes; ++k) padded[k] = numbers[k];
      numbers = padded;
    }
    const Vec scaled = load_lanes(x + i, lanes) * Vec::all(scale);
    store_lanes(scaled.where_at_least(numbers, threshold), y + i, lanes);
  });
}

// The gradient is scaled before it is squared, so that one which clipping makes harmless does not
// overflow.
float rowwise_rmsprop(const RowwiseArgs& args, float inv_correction, float v, const float* g,
                      float* w, int64_t n) {
  const Vec scale = Vec::all(args.grad_scale);
  const float squares = row_sum(n, [=](int64_t i, int64_t lanes, Vec sum) {
    const Vec grad = load_lanes(g + i, lanes) * scale;
    return fmadd(grad, grad, sum);
  });
  const float mean = squares / static_cast<float>(n);
  v = __builtin_fmaf(args.beta2, v, (1.0f - args.beta2) * mean);
  const Vec step =
      Vec::all(args.rate) / (sqrt(Vec::all(v * inv_correction)) + Vec::all(args.epsilon));
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec grad = load_lanes(g + i, lanes) * scale;
    store_lanes(fnmadd(grad, step, load_lanes(w + i, lanes)), w + i, lanes);
  });
  return v;
}

}  // namespace
}  // namespace slm
