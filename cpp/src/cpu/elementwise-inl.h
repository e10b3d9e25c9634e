// Swish, softmax with cross-entropy, AdamW and the like. Included per instruction set.
#pragma once

namespace slm {
namespace {

// Calls f(offset, lanes) over [0, n): whole vectors, then the remainder.
template <class F>
inline void for_vectors(int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + Vec::kLanes <= n; i += Vec::kLanes) f(i, int64_t{Vec::kLanes});
  if (i < n) f(i, n - i);
}

void swish_forward(const float* h, float* s, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec x = load_lanes(h + i, lanes);
    store_lanes(x * sigmoid(x), s + i, lanes);
  });
}

// swish'(h) = σ + h σ (1 − σ) = σ + s (1 − σ)
void swish_backward(const float* h, float* s, float* d, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec x = load_lanes(h + i, lanes);
    const Vec sigma = sigmoid(x);
    const Vec y = x * sigma;
    store_lanes(y, s + i, lanes);
    const Vec derivative = fmadd(y, Vec::all(1.0f) - sigma, sigma);
    store_lanes(load_lanes(d + i, lanes) * derivative, d + i, lanes);
  });
}

float softmax_loss(const float* logits, uint8_t target, float scale, float* grad) {
  Vec top = Vec::load(logits);
  for (int i = Vec::kLanes; i < 256; i += Vec::kLanes) top = max(top, Vec::load(logits + i));
  float lanes[Vec::kLanes];
  top.store(lanes);
  float largest = lanes[0];
  for (float x : lanes) largest = x > largest ? x : largest;

  float p[256];
  LaneSum sum;
  for (int i = 0; i < 256; i += 16)
    for (int j = 0; j < LaneSum::kVecs; ++j) {
      const int at = i + j * Vec::kLanes;
      const Vec e = exp(Vec::load(logits + at) - Vec::all(largest));
      e.store(p + at);
      sum.lanes[j] = sum.lanes[j] + e;
    }
  const float total = sum.total();
  // The largest logit alone makes the total at least one, unless a logit is NaN, which makes the
  // total NaN, or infinite, which leaves only the clamped tails.
  if (!(total >= 0.5f)) return __builtin_nanf("");
  const double loss = log_positive(total) - (double{logits[target]} - double{largest});

  if (grad != nullptr) {
    const Vec factor = Vec::all(scale / total);
    const float hot = p[target] * (scale / total) - scale;
    for (int i = 0; i < 256; i += Vec::kLanes) (Vec::load(p + i) * factor).store(grad + i);
    grad[target] = hot;
  }
  return static_cast<float>(loss);
}

void add(const float* x, float* y, int64_t n) {
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    store_lanes(load_lanes(y + i, lanes) + load_lanes(x + i, lanes), y + i, lanes);
  });
}

// For values whose squares are too large for float, though their norm is not.
inline double sum_squares_slowly(const float* x, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += double{x[i]} * double{x[i]};
  return total;
}

double sum_squares(const float* x, int64_t n) {
  constexpr int64_t kBlock = 1024;
  constexpr double kLargest = 3e38;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    LaneSum sum;
    for (int64_t i = begin; i < end; i += 16)
      for (int j = 0; j < LaneSum::kVecs; ++j) {
        const Vec a = load_lanes(x + i + j * Vec::kLanes, end - i - j * Vec::kLanes);
        sum.lanes[j] = fmadd(a, a, sum.lanes[j]);
      }
    const double block = double{sum.total()};
    total += block <= kLargest ? block : sum_squares_slowly(x + begin, end - begin);
  }
  return total;
}

void adamw(const AdamWArgs& args, float* w, float* g, float* m, float* v, int64_t n) {
  const Vec decay = Vec::all(args.decay), rate = Vec::all(args.rate);
  const Vec beta1 = Vec::all(args.beta1), beta2 = Vec::all(args.beta2);
  const Vec rest1 = Vec::all(1.0f - args.beta1), rest2 = Vec::all(1.0f - args.beta2);
  const Vec epsilon = Vec::all(args.epsilon), inv2 = Vec::all(args.inv_correction2);
  const Vec scale = Vec::all(args.grad_scale);
  for_vectors(n, [=](int64_t i, int64_t lanes) {
    const Vec grad = load_lanes(g + i, lanes) * scale;
    const Vec first = fmadd(beta1, load_lanes(m + i, lanes), rest1 * grad);
    const Vec second = fmadd(beta2, load_lanes(v + i, lanes), rest2 * (grad * grad));
    const Vec step = rate * first / (sqrt(second * inv2) + epsilon);
    store_lanes(fmadd(load_lanes(w + i, lanes), decay, Vec::zero() - step), w + i, lanes);
    store_lanes(first, m + i, lanes);
    store_lanes(second, v + i, lanes);
    store_lanes(Vec::zero(), g + i, lanes);
  });
}

}  // namespace
}  // namespace slm
