// The plain kernels: what every other set is checked against, and what runs where there is no
// other. Packed matrices are just (depth, cols), row-major.
#include <cmath>
#include <initializer_list>

#include "cpu/kernels.h"

namespace slm {
namespace {

// The same polynomial as math-inl.h's, without fused operations.
float exp_scalar(float x) {
  if (std::isnan(x)) return x;  // fmax would pass over it
  x = std::fmin(std::fmax(x, -87.3f), 88.3f);
  const float n = std::nearbyint(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040;
  for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = p * r + c;
  return std::ldexp(p, static_cast<int>(n));
}

float sigmoid(float x) { return 1.0f / (1.0f + exp_scalar(-x)); }

int64_t packed_size(int64_t depth, int64_t cols) { return depth * cols; }

void pack(const float* w, int64_t row_stride, int64_t col_stride, int64_t depth, int64_t cols,
          float* out) {
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t n = 0; n < cols; ++n) out[k * cols + n] = w[k * row_stride + n * col_stride];
}

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  for (int64_t i = 0; i < grid.outer; ++i)
    for (int64_t j = 0; j < grid.inner; ++j) {
      const float* in = x.data + i * x.outer + j * x.inner;
      float* out = y.data + i * y.outer + j * y.inner;
      if (!accumulate)
        for (int64_t n = 0; n < w.cols; ++n) out[n] = 0;
      for (int64_t k = 0; k < w.depth; ++k)
        for (int64_t n = 0; n < w.cols; ++n) out[n] += in[k] * w.data[k * w.cols + n];
    }
}

void gemm_tn(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
             float* dw, int64_t dw_stride, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      float sum = 0;
      for (int64_t r = 0; r < depth; ++r) sum += dy[r * dy_stride + i] * x[r * x_stride + j];
      dw[i * dw_stride + j] += sum;
    }
}

void swish_forward(const float* h, float* s, int64_t n) {
  for (int64_t i = 0; i < n; ++i) s[i] = h[i] * sigmoid(h[i]);
}

void swish_backward(const float* h, float* s, float* d, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float sigma = sigmoid(h[i]);
    s[i] = h[i] * sigma;
    d[i] *= sigma + s[i] * (1.0f - sigma);
  }
}

float swish_slope(float x) {
  const float sigma = sigmoid(x);
  return sigma + x * sigma * (1.0f - sigma);
}

void gated_forward(const float* gates, const float* h_before, float* h, float* s, int64_t n) {
  const float *f = gates, *z = f + n, *g = z + n;
  for (int64_t i = 0; i < n; ++i) {
    const float a = sigmoid(f[i]);
    h[i] = a * h_before[i] + (1.0f - a) * z[i];
    s[i] = h[i] * (g[i] * sigmoid(g[i]));
  }
}

void gated_backward(const float* gates, const float* h_before, const float* h, const float* ds,
                    float* dh, float* s, float* d_gates, int64_t n) {
  const float *f = gates, *z = f + n, *g = z + n;
  for (int64_t i = 0; i < n; ++i) {
    const float a = sigmoid(f[i]), out = g[i] * sigmoid(g[i]);
    const float d_out = ds[i], d_now = dh[i] + d_out * out;
    s[i] = h[i] * out;
    dh[i] = d_now * a;
    d_gates[i] = d_now * (h_before[i] - z[i]) * a * (1.0f - a);
    d_gates[n + i] = d_now * (1.0f - a);
    d_gates[2 * n + i] = d_out * h[i] * swish_slope(g[i]);
  }
}

float inverse_rms(const float* x, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * x[i];
  return 1.0f / std::sqrt(sum / static_cast<float>(n) + 1e-6f);
}

void rms_forward(const float* x, const float* w, float* y, int64_t n) {
  const float r = inverse_rms(x, n);
  for (int64_t i = 0; i < n; ++i) y[i] = w[i] * (x[i] * r);
}

// With u = x r, r = 1 / rms(x):  dw = dy u,  dx = r (w dy − u mean(w dy u))
void rms_backward(const float* x, const float* w, float* dy, float* dx, int64_t n) {
  const float r = inverse_rms(x, n);
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += w[i] * dy[i] * (x[i] * r);
  const float mean = sum / static_cast<float>(n);
  for (int64_t i = 0; i < n; ++i) {
    const float u = x[i] * r;
    dx[i] += r * (w[i] * dy[i] - u * mean);
    dy[i] *= u;
  }
}

void swiglu_forward(const float* q, float* m, int64_t n) {
  for (int64_t i = 0; i < n; ++i) m[i] = q[i] * sigmoid(q[i]) * q[n + i];
}

void swiglu_backward(const float* q, const float* dm, float* m, float* dq, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float gate = q[i] * sigmoid(q[i]), up = q[n + i], d = dm[i];
    m[i] = gate * up;
    dq[i] = d * up * swish_slope(q[i]);
    dq[n + i] = d * gate;
  }
}

void bias_grad(const float* x, int64_t x_stride, int64_t rows, float* out, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    float sum = 0;
    for (int64_t r = 0; r < rows; ++r) sum += x[r * x_stride + j];
    out[j] += sum;
  }
}

void drop(const uint16_t* bits, uint32_t threshold, float scale, const float* x, float* y,
          int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = bits[i] >= threshold ? x[i] * scale : 0.0f;
}

float rowwise_rmsprop(const RowwiseArgs& a, float inv_correction, float v, const float* g, float* w,
                      int64_t n) {
  float squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += g[i] * a.grad_scale * (g[i] * a.grad_scale);
  v = a.beta2 * v + (1.0f - a.beta2) * (squares / static_cast<float>(n));
  const float step = a.rate / (std::sqrt(v * inv_correction) + a.epsilon);
  for (int64_t i = 0; i < n; ++i) w[i] -= step * (g[i] * a.grad_scale);
  return v;
}

float softmax_loss(const float* logits, uint8_t target, float scale, float* grad) {
  float largest = logits[0];
  for (int i = 1; i < 256; ++i) largest = std::fmax(largest, logits[i]);
  float p[256], total = 0;
  for (int i = 0; i < 256; ++i) {
    p[i] = exp_scalar(logits[i] - largest);
    total += p[i];
  }
  const double loss = std::log(double{total}) - (double{logits[target]} - double{largest});
  if (grad != nullptr)
    for (int i = 0; i < 256; ++i) grad[i] = (p[i] / total - (i == target ? 1.0f : 0.0f)) * scale;
  return static_cast<float>(loss);
}

void add(const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += x[i];
}

double sum_squares(const float* x, int64_t n) {
  double total = 0;
  for (int64_t i = 0; i < n; ++i) total += double{x[i]} * double{x[i]};
  return total;
}

void adamw(const AdamWArgs& a, float* w, float* g, float* m, float* v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float grad = g[i] * a.grad_scale;
    m[i] = a.beta1 * m[i] + (1.0f - a.beta1) * grad;
    v[i] = a.beta2 * v[i] + (1.0f - a.beta2) * grad * grad;
    w[i] = w[i] * a.decay - a.rate * m[i] / (std::sqrt(v[i] * a.inv_correction2) + a.epsilon);
    g[i] = 0;
  }
}

double fma_loop(int64_t rounds, float* out) {
  constexpr int kSums = 32;
  float sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = static_cast<float>(i);
  for (int64_t r = 0; r < rounds; ++r)
    for (float& sum : sums) sum = sum * 0.5f + 1.0f;
  *out = 0;
  for (float sum : sums) *out += sum;
  return 2.0 * static_cast<double>(rounds) * kSums;
}

float read_loop(const float* x, int64_t n) {
  float sums[32] = {};
  for (; n >= 32; n -= 32, x += 32)
    for (int i = 0; i < 32; ++i) sums[i] += x[i];
  for (int64_t i = 0; i < n; ++i) sums[i] += x[i];
  float total = 0;
  for (float sum : sums) total += sum;
  return total;
}

}  // namespace
}  // namespace slm

#include "cpu/kernel-table-inl.h"

namespace slm {

constexpr Kernels kScalarKernels = make_kernels("scalar", /*rounds_to_bf16=*/false);

}  // namespace slm
