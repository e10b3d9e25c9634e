// The SwiGLU after a layer's cell: with x the cell's output, [p, q] = W_in norm(x),
// y = x + W_out (swish(p) q). Positions do not depend on each other.
#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/layer_part.h"

namespace slm {
namespace {

constexpr int64_t kGroup = 64;  // positions that a thread does at a time: they stay in its cache

}  // namespace

const float* CpuBackend::norm_rows(const CpuWeights& weights, const Tensor* norm, const float* x,
                                   int64_t positions, float* v) const {
  if (norm == nullptr) return x;
  const int64_t E = norm->rows();
  for (int64_t r = 0; r < positions; ++r)
    kernels_.rms_forward(x + r * E, weights.at(*norm), v + r * E, E);
  return v;
}

void CpuBackend::mlp_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                             int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const LayerWeights& w = weights.layers[layer];
  const int64_t E = ws.E, M = ws.M, positions = (t1 - t0) * ws.B;
  const float* x = ws.y(layer, t0);
  float *v = ws.v.get(), *q = ws.q(layer, t0), *m = ws.m.get(), *y = ws.u(layer + 1, t0);
  split(positions, 6.0 * static_cast<double>(positions * E * M), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += kGroup) {
      const RowGrid rows{1, std::min(kGroup, end - r)};
      const float* in = norm_rows(weights, w.mlp_norm, x + r * E, rows.inner, v + r * E);
      kernels_.matmul(rows, {in, 0, E}, w.mlp_in.forward(), {q + r * 2 * M, 0, 2 * M}, false);
      for (int64_t i = r; i < r + rows.inner; ++i)
        kernels_.swiglu_forward(q + i * 2 * M, m + i * M, M);
      copy_row(x + r * E, y + r * E, rows.inner * E);
      kernels_.matmul(rows, {m + r * M, 0, M}, w.mlp_out.forward(), {y + r * E, 0, E}, true);
    }
  });
}

void CpuBackend::mlp_backward(const Weights& any_weights, Workspace& any_workspace,
                              Gradients& any_gradients, int64_t layer, int64_t t0,
                              int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const LayerWeights& w = weights.layers[layer];
  const int64_t E = ws.E, M = ws.M, positions = (t1 - t0) * ws.B;
  const float *x = ws.y(layer, t0), *q = ws.q(layer, t0), *dy = ws.dy.get();
  float *v = ws.v.get(), *m = ws.m.get(), *dm = ws.dm.get(), *dq = ws.dq.get();
  float *dv = ws.dv.get(), *dx = ws.du.get();
  const double flops = 6.0 * static_cast<double>(positions * E * M);
  split(positions, flops, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += kGroup) {
      const RowGrid rows{1, std::min(kGroup, end - r)};
      norm_rows(weights, w.mlp_norm, x + r * E, rows.inner, v + r * E);
      kernels_.matmul(rows, {dy + r * E, 0, E}, w.mlp_out.backward(), {dm + r * M, 0, M}, false);
      for (int64_t i = r; i < r + rows.inner; ++i)
        kernels_.swiglu_backward(q + i * 2 * M, dm + i * M, m + i * M, dq + i * 2 * M, M);
      copy_row(dy + r * E, dx + r * E, rows.inner * E);
      float* into = w.mlp_norm ? dv : dx;
      kernels_.matmul(rows, {dq + r * 2 * M, 0, 2 * M}, w.mlp_in.backward(), {into + r * E, 0, E},
                      into == dx);
      if (w.mlp_norm == nullptr) continue;
      for (int64_t i = r; i < r + rows.inner; ++i)
        kernels_.rms_backward(x + i * E, weights.at(*w.mlp_norm), dv + i * E, dx + i * E, E);
    }
  });
  WeightGrads grads;
  grads.add(w.mlp_in.tensor, dq, w.mlp_norm ? v : x);
  grads.add(w.mlp_out.tensor, dy, m);
  grads.add(w.mlp_norm, dv, nullptr);
  add_weight_gradients(grads, positions, flops,
                       static_cast<CpuGradients&>(any_gradients).dense.get());
  std::swap(ws.dy, ws.du);
}

}  // namespace slm
