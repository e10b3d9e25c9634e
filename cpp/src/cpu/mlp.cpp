// The SwiGLU after a layer's cell: with x the cell's output, [p, q] = W_in norm(x),
// y = x + W_out (swish(p) q). Positions do not depend on each other.
#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/layer_chunk.h"
#include "cpu/norm.h"

namespace slm {

void CpuBackend::mlp_forward(const Weights& any_weights, Workspace& any_workspace, int64_t layer,
                             int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const LayerWeights& w = weights.layers[layer];
  const int64_t E = ws.E, M = ws.M, B = ws.B, steps = t1 - t0;
  const Array x{ws.y(layer, t0), B, E}, v{w.mlp_norm ? ws.v.get() : x.data, B, E};
  const Array q{ws.q(layer, t0), B, 2 * M}, m{ws.m.get(), B, M}, y{ws.u(layer + 1, t0), B, E};
  const double flops = 6.0 * static_cast<double>(steps * B * E * M);
  parallel_for_positions(steps, B, flops, [&](const Block& at) {
    norm_forward(kernels_, weights.data_or_null(w.mlp_norm), x, at, v);
    kernels_.matmul(at.grid(B), v.rows(at), w.mlp_in.forward(), q.rows(at), false);
    for_each_row(at, [&](int64_t t, int64_t b) {
      kernels_.swiglu_forward(q.row(t, b), m.row(t, b), M);
      copy_row(x.row(t, b), y.row(t, b), E);
    });
    kernels_.matmul(at.grid(B), m.rows(at), w.mlp_out.forward(), y.rows(at), true);
  });
}

void CpuBackend::mlp_backward(const Weights& any_weights, Workspace& any_workspace,
                              Gradients& any_gradients, int64_t layer, int64_t t0,
                              int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const LayerWeights& w = weights.layers[layer];
  const int64_t E = ws.E, M = ws.M, B = ws.B, steps = t1 - t0;
  const Array x{ws.y(layer, t0), B, E}, v{w.mlp_norm ? ws.v.get() : x.data, B, E};
  const Array q{ws.q(layer, t0), B, 2 * M}, m{ws.m.get(), B, M}, dy{ws.dy.get(), B, E};
  const Array dm{ws.dm.get(), B, M}, dq{ws.dq.get(), B, 2 * M};
  const Array dv{ws.dv.get(), B, E}, dx{ws.du.get(), B, E};
  const double flops = 6.0 * static_cast<double>(steps * B * E * M);
  parallel_for_positions(steps, B, flops, [&](const Block& at) {
    norm_forward(kernels_, weights.data_or_null(w.mlp_norm), x, at, v);
    kernels_.matmul(at.grid(B), dy.rows(at), w.mlp_out.backward(), dm.rows(at), false);
    for_each_row(at, [&](int64_t t, int64_t b) {
      kernels_.swiglu_backward(q.row(t, b), dm.row(t, b), m.row(t, b), dq.row(t, b), M);
      copy_row(dy.row(t, b), dx.row(t, b), E);
    });
    const Array& into = w.mlp_norm ? dv : dx;
    kernels_.matmul(at.grid(B), dq.rows(at), w.mlp_in.backward(), into.rows(at),
                    w.mlp_norm == nullptr);
    norm_backward(kernels_, weights.data_or_null(w.mlp_norm), x, at, dv, dx);
  });
  WeightGrads grads;
  grads.add(w.mlp_in.tensor, dq.data, v.data);
  grads.add(w.mlp_out.tensor, dy.data, m.data);
  grads.add(w.mlp_norm, dv.data, nullptr);
  add_weight_gradients(grads, steps * B, flops,
                       static_cast<CpuGradients&>(any_gradients).dense.get());
  std::swap(ws.dy, ws.du);
}

}  // namespace slm
