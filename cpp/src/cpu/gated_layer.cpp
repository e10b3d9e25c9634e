// The gated cell over a chunk of time, forward and in mirrored order backward (docs/model.md).
//
//   u, v, y       (T, B, E)  input; its norm, with locked dropout; output
//   f, z, g       (T, B, N)  gates, in one array (T, B, 3N)
//   h, s          (T, B, N)  state; what the output is made of
//   W_in (3N, E), b (3N,), W_out (E, N)
//
//   f, z, g = W_in norm(u) + b                              project
//   for t: a = σ(f_t)                                       scan
//          h_t = a h_{t-1} + (1 - a) z_t
//          s_t = h_t swish(g_t)                           (h_{t-1} = 0 where a text starts)
//   y = W_out s (+ u)                                       output
//
// Only h depends on the time step before, so the products are over whole blocks of time.
#include <algorithm>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// Time steps of a block of `batch` rows: few enough for all its arrays to stay in L2, and enough
// for large tiles.
int64_t steps_per_block(int64_t batch) {
  constexpr int64_t kPositions = 128;
  return std::max<int64_t>(1, kPositions / batch);
}

}  // namespace

void CpuBackend::gated_forward(CpuWorkspace& ws, const CpuLayerChunk& c) const {
  const Array gates{ws.gates(c.layer, c.t0), c.B, 3 * c.N};
  const float* bias = c.weights.at(c.w.in_bias);
  const auto project = [&](const Block& at) {  // gates = W_in norm(u) + b
    c.norm_input(at);
    for_each_row(at, [&](int64_t t, int64_t b) { copy_row(bias, gates.row(t, b), gates.width); });
    matmul(at, c.v, c.weights.forward(c.w.in), gates, true);
  };
  const auto scan = [&](const Block& at) {  // h_t = a h_{t-1} + (1 - a) z_t, s_t = h_t swish(g_t)
    for_each_row(at, [&](int64_t t, int64_t b) {
      const float* before = c.starts_at(t, b) ? ws.zeros.get() : c.h.row(t - 1, b);
      kernels_.gated_forward(gates.row(t, b), before, c.h.row(t, b), c.s.row(t, b), c.N);
    });
  };
  const auto output = [&](const Block& at) {  // y = W_out s (+ u)
    const bool begun = c.init_output(at);
    matmul(at, c.s, c.weights.forward(c.w.out), c.y, begun);
  };
  run_layer(c, c.flops(4 * c.N * c.E), steps_per_block(c.B), TimeOrder::rising,  //
            project, scan, output);
}

// `c.carried` alone holds dh of the time step after the one that is computed; ds takes the place of
// dh.
void CpuBackend::gated_backward(CpuWorkspace& ws, const CpuLayerChunk& c, float* grads) const {
  const Array gates{ws.gates(c.layer, c.t0), c.B, 3 * c.N};
  const Array d_gates{ws.d_gates.get(), c.B, 3 * c.N}, ds = c.dh;
  const auto grad_output = [&](const Block& at) {  // ds = W_outᵀ dy
    c.norm_input(at);
    matmul(at, c.dy, c.weights.backward(c.w.out), ds, false);
  };
  const auto scan_reverse = [&](const Block& at) {  // d_gates, and s again, from ds and dh_{t+1}
    for (int64_t t = at.t1 - 1; t >= at.t0; --t)
      for (int64_t b = at.b0; b < at.b1; ++b) {
        const bool starts = c.starts_at(t, b);
        float* carried = c.carried.row(0, b);
        kernels_.gated_backward(gates.row(t, b), starts ? ws.zeros.get() : c.h.row(t - 1, b),
                                c.h.row(t, b), ds.row(t, b), carried, c.s.row(t, b),
                                d_gates.row(t, b), c.N);
        if (starts) std::fill_n(carried, c.N, 0.0f);
      }
  };
  const auto grad_input = [&](const Block& at) {  // du = d norm(W_inᵀ d_gates) (+ dy)
    const bool begun = c.init_input_grad(at);
    matmul(at, d_gates, c.weights.backward(c.w.in), c.dx(), begun);
    c.finish_input_grad(at);
  };
  const double flops = c.flops(4 * c.N * c.E);
  run_layer(c, flops, steps_per_block(c.B), TimeOrder::falling,  //
            grad_output, scan_reverse, grad_input);
  WeightGrads weights;
  weights.add(c.w.in, d_gates.data, c.v.data);
  weights.add(c.w.in_bias, d_gates.data, nullptr);
  weights.add(c.w.out, c.dy.data, c.s.data);
  weights.add(c.w.norm, c.dv.data, nullptr);
  add_weight_gradients(weights, c.steps * c.B, flops, grads);
}

}  // namespace slm
