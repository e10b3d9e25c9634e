// The gated cell: [f, z, g] = W_in v + b, a = σ(f), h_t = a h_{t-1} + (1 - a) z, s = h swish(g),
// y = W_out s. Nothing but h goes from one time step to the next, so that all products are over
// whole chunks.
#include <algorithm>

#include "cpu/cpu_backend.h"
#include "cpu/layer_chunk.h"

namespace slm {
namespace {

// Time steps of `batch` rows that go through the whole cell at once: few enough for all their
// arrays to stay in L2, and enough for large tiles.
int64_t steps_per_block(int64_t batch) {
  constexpr int64_t kPositions = 128;
  return std::max<int64_t>(1, kPositions / batch);
}

}  // namespace

void CpuBackend::gated_forward(const LayerWeights& w, CpuWorkspace& ws, const LayerChunk& p,
                               const float* bias) const {
  const Array gates{ws.gates(p.layer, p.t0), p.B, 3 * p.N};
  const double flops = p.flops(4 * p.N * p.E);
  run_layer([&](int64_t n, const auto& f) { parallel_for(n, flops, f); }, threads_worth(flops),
            p.steps, p.B, steps_per_block(p.B), TimeOrder::rising,
            [&](const Block& at) {
              p.norm_input(at);
              for_each_row(
                  at, [&](int64_t t, int64_t b) { copy_row(bias, gates.row(t, b), gates.width); });
              kernels_.matmul(at.grid(p.B), p.v.rows(at), w.in.forward(), gates.rows(at), true);
            },
            [&](const Block& at) {
              for_each_row(at, [&](int64_t t, int64_t b) {
                kernels_.gated_forward(gates.row(t, b), p.h.row(t - 1, b), p.h.row(t, b),
                                       p.s.row(t, b), p.N);
              });
            },
            [&](const Block& at) {
              const bool begun = p.init_output(at);
              kernels_.matmul(at.grid(p.B), p.s.rows(at), w.out.forward(), p.y.rows(at), begun);
            });
}

// In mirrored order. dh of the time step after lives in `carried` alone.
void CpuBackend::gated_backward(const LayerWeights& w, CpuWorkspace& ws, const LayerChunk& p,
                                float* grads) const {
  const Array gates{ws.gates(p.layer, p.t0), p.B, 3 * p.N};
  const Array d_gates{ws.d_gates.get(), p.B, 3 * p.N}, ds = p.dh;
  const double flops = p.flops(4 * p.N * p.E);
  run_layer(
      [&](int64_t n, const auto& f) { parallel_for(n, flops, f); }, threads_worth(flops), p.steps,
      p.B, steps_per_block(p.B), TimeOrder::falling,
      [&](const Block& at) {
        p.norm_input(at);
        kernels_.matmul(at.grid(p.B), p.dy.rows(at), w.out.backward(), ds.rows(at), false);
      },
      [&](const Block& at) {
        for (int64_t t = at.t1 - 1; t >= at.t0; --t)
          for (int64_t b = at.b0; b < at.b1; ++b)
            kernels_.gated_backward(gates.row(t, b), p.h.row(t - 1, b), p.h.row(t, b), ds.row(t, b),
                                    p.carried.row(0, b), p.s.row(t, b), d_gates.row(t, b), p.N);
      },
      [&](const Block& at) {
        const bool begun = p.init_input_grad(at);
        kernels_.matmul(at.grid(p.B), d_gates.rows(at), w.in.backward(), p.dx().rows(at), begun);
        p.finish_input_grad(at);
      });
  WeightGrads weights;
  weights.add(w.in.tensor, d_gates.data, p.v.data);
  weights.add(w.in_bias, d_gates.data, nullptr);
  weights.add(w.out.tensor, p.dy.data, p.s.data);
  weights.add(w.norm, p.dv.data, nullptr);
  add_weight_gradients(weights, p.steps * p.B, flops, grads);
}

}  // namespace slm
