// The dense cell: h_t = A h_{t-1} + B v_t, s_t = swish(h_t), y_t = C s_t + D v_t.
#include "cpu/cpu_backend.h"
#include "cpu/layer_chunk.h"

namespace slm {

void CpuBackend::dense_forward(const LayerWeights& w, const LayerChunk& p) const {
  const double flops = p.flops((p.N + (p.makes_logits ? 0 : p.E)) * (p.N + p.E));
  run_layer([&](int64_t n, const auto& f) { parallel_for(n, flops, f); }, threads_worth(flops),
            p.steps, p.B, p.steps, TimeOrder::rising,
            [&](const Block& at) {
              p.norm_input(at);
              kernels_.matmul(at.grid(p.B), p.v.rows(at), w.B.forward(), p.h.rows(at), false);
            },
            [&](const Block& at) {
              const int64_t b0 = at.b0, b1 = at.b1;
              for (int64_t t = 0; t < p.steps; ++t) {
                kernels_.matmul({1, b1 - b0}, {p.h.row(t - 1, b0), 0, p.N}, w.A.forward(),
                                {p.h.row(t, b0), 0, p.N}, true);
                if (p.makes_logits) continue;  // the head does the rest
                kernels_.swish_forward(p.h.row(t, b0), p.s.row(t, b0), (b1 - b0) * p.N);
              }
            },
            [&](const Block& at) {
              if (p.makes_logits) return;
              const bool begun = p.init_output(at);
              kernels_.matmul(at.grid(p.B), p.s.rows(at), w.C.forward(), p.y.rows(at), begun);
              kernels_.matmul(at.grid(p.B), p.v.rows(at), w.D.forward(), p.y.rows(at), true);
            });
}

// In mirrored order.
void CpuBackend::dense_backward(const LayerWeights& w, const LayerChunk& p, float* grads) const {
  const double flops = p.flops((p.N + p.dy.width) * (p.N + p.E));
  run_layer([&](int64_t n, const auto& f) { parallel_for(n, flops, f); }, threads_worth(flops),
            p.steps, p.B, p.steps, TimeOrder::falling,
            [&](const Block& at) {  // ds, in the place of dh
              p.norm_input(at);
              kernels_.matmul(at.grid(p.B), p.dy.rows(at), w.C.backward(), p.dh.rows(at), false);
            },
            [&](const Block& at) {
              const int64_t b0 = at.b0, b1 = at.b1;
              const int64_t size = (b1 - b0) * p.N;
              copy_row(p.carried.row(0, b0), p.dh.row(p.steps, b0), size);
              for (int64_t t = p.steps - 1; t >= 0; --t) {
                kernels_.swish_backward(p.h.row(t, b0), p.s.row(t, b0), p.dh.row(t, b0), size);
                kernels_.matmul({1, b1 - b0}, {p.dh.row(t + 1, b0), 0, p.N}, w.A.backward(),
                                {p.dh.row(t, b0), 0, p.N}, true);
              }
              copy_row(p.dh.row(0, b0), p.carried.row(0, b0), size);
            },
            [&](const Block& at) {
              const bool begun = p.init_input_grad(at);
              const Rows dx = p.dx().rows(at);
              kernels_.matmul(at.grid(p.B), p.dy.rows(at), w.D.backward(), dx, begun);
              kernels_.matmul(at.grid(p.B), p.dh.rows(at), w.B.backward(), dx, true);
              p.finish_input_grad(at);
            });
  WeightGrads weights;
  weights.add(w.A.tensor, p.dh.data, p.h.row(-1, 0));
  weights.add(w.B.tensor, p.dh.data, p.v.data);
  weights.add(w.C.tensor, p.dy.data, p.s.data);
  weights.add(w.D.tensor, p.dy.data, p.v.data);
  weights.add(w.norm, p.dv.data, nullptr);
  add_weight_gradients(weights, p.steps * p.B, flops, grads);
}

}  // namespace slm
