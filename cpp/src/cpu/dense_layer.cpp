// The dense cell over a chunk of time, forward and in mirrored order backward (docs/model.md).
//
//   u, v, y       (T, B, E)  input; its norm, with locked dropout; output, (T, B, O)
//   h, s          (T, B, N)  state; swish(h)
//   A (N, N), B (N, E), C (O, N), D (O, E)
//
//   h = B norm(u)                                           project
//   for t: h_t += A h_{t-1}                                 scan
//          s_t = swish(h_t)
//   y = C s + D v (+ u)                                     output; of the last layer of a model
//                                                           without a head: head.cpp
#include "cpu/cpu_backend.h"

namespace slm {

void CpuBackend::dense_forward(const CpuLayerChunk& c) const {
  const PackedMatrix a = c.weights.forward(c.w.A);
  const auto project = [&](const Block& at) {  // h = B norm(u)
    c.norm_input(at);
    matmul(at, c.v, c.weights.forward(c.w.B), c.h, false);
  };
  const auto scan = [&](const Block& at) {  // h_t += A h_{t-1}, s_t = swish(h_t)
    const int64_t b0 = at.b0, rows = at.b1 - at.b0;
    for (int64_t t = at.t0; t < at.t1; ++t) {
      kernels_.matmul({1, rows}, {c.h.row(t - 1, b0), 0, c.N}, a, {c.h.row(t, b0), 0, c.N}, true);
      if (!c.makes_logits) kernels_.swish_forward(c.h.row(t, b0), c.s.row(t, b0), rows * c.N);
    }
  };
  const auto output = [&](const Block& at) {  // y = C s + D v (+ u)
    if (c.makes_logits) return;
    const bool begun = c.init_output(at);
    matmul(at, c.s, c.weights.forward(c.w.C), c.y, begun);
    matmul(at, c.v, c.weights.forward(c.w.D), c.y, true);
  };
  const double flops = c.flops((c.N + (c.makes_logits ? 0 : c.E)) * (c.N + c.E));
  run_layer(c, flops, c.steps, TimeOrder::rising, project, scan, output);
}

void CpuBackend::dense_backward(const CpuLayerChunk& c, float* grads) const {
  const PackedMatrix a = c.weights.backward(c.w.A);
  const auto grad_output = [&](const Block& at) {  // ds = Cᵀ dy, in the place of dh
    c.norm_input(at);
    matmul(at, c.dy, c.weights.backward(c.w.C), c.dh, false);
  };
  const auto scan_reverse = [&](const Block& at) {  // dh_t = ds_t swish'(h_t) + Aᵀ dh_{t+1}
    const int64_t b0 = at.b0, rows = at.b1 - at.b0, size = rows * c.N;
    copy_row(c.carried.row(0, b0), c.dh.row(at.t1, b0), size);
    for (int64_t t = at.t1 - 1; t >= at.t0; --t) {
      kernels_.swish_backward(c.h.row(t, b0), c.s.row(t, b0), c.dh.row(t, b0), size);
      kernels_.matmul({1, rows}, {c.dh.row(t + 1, b0), 0, c.N}, a, {c.dh.row(t, b0), 0, c.N}, true);
    }
    copy_row(c.dh.row(at.t0, b0), c.carried.row(0, b0), size);
  };
  const auto grad_input = [&](const Block& at) {  // du = d norm(Dᵀ dy + Bᵀ dh) (+ dy)
    const bool begun = c.init_input_grad(at);
    matmul(at, c.dy, c.weights.backward(c.w.D), c.dx(), begun);
    matmul(at, c.dh, c.weights.backward(c.w.B), c.dx(), true);
    c.finish_input_grad(at);
  };
  const double flops = c.flops((c.N + c.dy.width) * (c.N + c.E));
  run_layer(c, flops, c.steps, TimeOrder::falling, grad_output, scan_reverse, grad_input);
  WeightGrads weights;
  weights.add(c.w.A, c.dh.data, c.h.row(-1, 0));
  weights.add(c.w.B, c.dh.data, c.v.data);
  weights.add(c.w.C, c.dy.data, c.s.data);
  weights.add(c.w.D, c.dy.data, c.v.data);
  weights.add(c.w.norm, c.dv.data, nullptr);
  add_weight_gradients(weights, c.steps * c.B, flops, grads);
}

}  // namespace slm
