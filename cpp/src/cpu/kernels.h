#pragma once
// The arithmetic of the CPU backend, as one table of functions per instruction set. scalar.cpp is
// the plain one, and the oracle for the others, which are compiled from the -inl.h files beside it.
//
// Every output sums its terms in one fixed order (rising k, then rising row), whatever tile it
// falls into and whichever thread computes it. With explicit FMA this gives the same bits on every
// instruction set that has it.
#include <cstdint>

namespace slm {

// A grid of rows inside a time-major array: `outer` time steps of `inner` batch rows each.
struct RowGrid {
  int64_t outer, inner;
};

// Where row (i, j) of a grid starts: data + i * outer + j * inner, in floats.
struct Rows {
  float* data;
  int64_t outer, inner;
};
struct ConstRows {
  ConstRows(const float* values, int64_t outer_stride, int64_t inner_stride)
      : data(values), outer(outer_stride), inner(inner_stride) {}
  ConstRows(Rows rows) : data(rows.data), outer(rows.outer), inner(rows.inner) {}

  const float* data;
  int64_t outer, inner;
};

// A matrix (depth, cols) in the layout that `pack` of the same table made.
struct PackedMatrix {
  const float* data;
  int64_t depth, cols;
};

struct AdamWArgs {
  float decay;  // 1 - lr * weight_decay
  float rate;   // lr / correction1
  float beta1, beta2, epsilon;
  float inv_correction2;  // 1 / correction2
  float grad_scale;
};

// Row-wise RMSprop, of one row of a sparse table with one second moment v: v = beta2 v + (1 -
// beta2) mean(g²), w -= rate g / (sqrt(v / correction)
// + epsilon), with g scaled by grad_scale.
struct RowwiseArgs {
  float rate, beta2, epsilon, grad_scale;
};

struct Kernels {
  const char* name;     // as in SLM_FORCE_ISA
  bool rounds_to_bf16;  // the operands of matrix products

  // Element (k, n) of the matrix is w[k * row_stride + n * col_stride].
  int64_t (*packed_size)(int64_t depth, int64_t cols);
  void (*pack)(const float* w, int64_t row_stride, int64_t col_stride, int64_t depth, int64_t cols,
               float* out);
  // y = (accumulate ? y : 0) + x w for x (rows, depth), w (depth, cols), y (rows, cols); the grid
  // has outer * inner rows.
  void (*matmul)(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate);
  // dw += dyᵀ x for dy (depth, rows), x (depth, cols), dw (rows, cols). The sum over depth is
  // formed first and then added, so that long sums are sums of the sums of chunks.
  void (*gemm_tn)(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                  int64_t depth, float* dw, int64_t dw_stride, int64_t rows, int64_t cols);

  void (*swish_forward)(const float* h, float* s, int64_t n);
  // s = swish(h) and d *= swish'(h): d (n,) is ds on entry and dh on exit.
  void (*swish_backward)(const float* h, float* s, float* d, int64_t n);
  // The gated cell in one time step of one row of the batch. gates (3n,): f, z, g; h_before, h, s
  // (n,)
  //   a = σ(f), h = a h_before + (1 - a) z, s = h swish(g)
  void (*gated_forward)(const float* gates, const float* h_before, float* h, float* s, int64_t n);
  // Given ds (n,) and, in dh (n,), the gradient from the next time step: computes s again, d_gates
  // (3n,), and in place of dh the gradient for the time step before.
  void (*gated_backward)(const float* gates, const float* h_before, const float* h, const float* ds,
                         float* dh, float* s, float* d_gates, int64_t n);
  // y = w x / sqrt(mean(x²) + 1e-6) for one row; x, w, y (n,).
  void (*rms_forward)(const float* x, const float* w, float* y, int64_t n);
  // Given dy (n,): adds the gradient of x to dx (n,) and replaces dy by this row's term of dw.
  void (*rms_backward)(const float* x, const float* w, float* dy, float* dx, int64_t n);
  // m = swish(q[0..n)) q[n..2n) for one row; q (2n,), m (n,).
  void (*swiglu_forward)(const float* q, float* m, int64_t n);
  // Given dm (n,): computes m again, and dq (2n,).
  void (*swiglu_backward)(const float* q, const float* dm, float* m, float* dq, int64_t n);
  // out += the column sums of x (rows, n), which are formed first; out (n,).
  void (*bias_grad)(const float* x, int64_t x_stride, int64_t rows, float* out, int64_t n);
  // y = keep ? x * scale : 0; value i is kept where the 16-bit number bits[i] >= threshold.
  void (*drop)(const uint16_t* bits, uint32_t threshold, float scale, const float* x, float* y,
               int64_t n);
  // `inv_correction` is 1 / (1 - beta2^k) of this row's update k. Returns the row's new v.
  float (*rowwise_rmsprop)(const RowwiseArgs& args, float inv_correction, float v, const float* g,
                           float* w, int64_t n);

  // One row of 256 logits: returns -log p[target] in nats; in `grad` (may be the logits themselves,
  // may be null) puts (p - onehot) * scale.
  float (*softmax_loss)(const float* logits, uint8_t target, float scale, float* grad);
  void (*add)(const float* x, float* y, int64_t n);  // y += x

  double (*sum_squares)(const float* x, int64_t n);
  void (*adamw)(const AdamWArgs& args, float* w, float* g, float* m, float* v, int64_t n);

  // The loops that peak.h times. fma_loop does multiply-adds in registers, writes their sum to
  // `out` and returns the number of floating-point operations; read_loop returns the sum of an
  // array.
  double (*fma_loop)(int64_t rounds, float* out);
  float (*read_loop)(const float* x, int64_t n);
};

// isa.cpp lists those that a build has.
extern const Kernels kScalarKernels, kAvx2Kernels, kAvx512Kernels, kAvx512Bf16Kernels,
    kAmxBf16Kernels, kNeonKernels;

}  // namespace slm
