// The MLP after a layer's cell, a SwiGLU (docs/model.md). Positions do not depend on each other.
//
//   x, v, y       (T, B, E)  the cell's output; its norm; the layer's output
//   p, q          (T, B, M)  gate and value, in one array (T, B, 2M)
//   m             (T, B, M)
//   W_in (2M, E), W_out (E, M)
//
//   p, q = W_in norm(x);  m = swish(p) q;  y = x + W_out m
#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/norm.h"

namespace slm {

void CpuBackend::mlp_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                             int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const LayerTensors& w = weights.layers[static_cast<size_t>(layer)];
  const int64_t E = ws.E, M = ws.M, B = ws.B, steps = t1 - t0;
  const Array x{ws.y(layer, t0), B, E}, v{w.mlp_norm ? ws.v.get() : x.data, B, E};
  const Array pq{ws.q(layer, t0), B, 2 * M}, m{ws.m.get(), B, M}, y{ws.u(layer + 1, t0), B, E};
  const double flops = 6.0 * static_cast<double>(steps * B * E * M);
  parallel_for_positions(steps, B, flops, [&](const Block& at) {
    norm_forward(kernels_, weights.at(w.mlp_norm), x, at, v);
    matmul(at, v, weights.forward(w.mlp_in), pq, false);
    for_each_row(at, [&](int64_t t, int64_t b) {
      kernels_.swiglu_forward(pq.row(t, b), m.row(t, b), M);
      copy_row(x.row(t, b), y.row(t, b), E);
    });
    matmul(at, m, weights.forward(w.mlp_out), y, true);
  });
}

void CpuBackend::mlp_backward(const Weights& any_weights, Workspace& any_workspace,
                              Gradients& any_gradients, int64_t layer, int64_t t0,
                              int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const LayerTensors& w = weights.layers[static_cast<size_t>(layer)];
  const int64_t E = ws.E, M = ws.M, B = ws.B, steps = t1 - t0;
  const Array x{ws.y(layer, t0), B, E}, v{w.mlp_norm ? ws.v.get() : x.data, B, E};
  const Array pq{ws.q(layer, t0), B, 2 * M}, m{ws.m.get(), B, M}, dy{ws.dy.get(), B, E};
  const Array dm{ws.dm.get(), B, M}, d_pq{ws.dq.get(), B, 2 * M};
  const Array dv{ws.dv.get(), B, E}, dx{ws.du.get(), B, E};
  const double flops = 6.0 * static_cast<double>(steps * B * E * M);
  parallel_for_positions(steps, B, flops, [&](const Block& at) {
    norm_forward(kernels_, weights.at(w.mlp_norm), x, at, v);
    matmul(at, dy, weights.backward(w.mlp_out), dm, false);
    for_each_row(at, [&](int64_t t, int64_t b) {
      kernels_.swiglu_backward(pq.row(t, b), dm.row(t, b), m.row(t, b), d_pq.row(t, b), M);
      copy_row(dy.row(t, b), dx.row(t, b), E);
    });
    matmul(at, d_pq, weights.backward(w.mlp_in), w.mlp_norm ? dv : dx, w.mlp_norm == nullptr);
    norm_backward(kernels_, weights.at(w.mlp_norm), x, at, dv, dx);
  });
  WeightGrads grads;
  grads.add(w.mlp_in, d_pq.data, v.data);
  grads.add(w.mlp_out, dy.data, m.data);
  grads.add(w.mlp_norm, dv.data, nullptr);
  add_weight_gradients(grads, steps * B, flops,
                       static_cast<CpuGradients&>(any_gradients).dense.get());
  std::swap(ws.dy, ws.du);
}

}  // namespace slm
