// The dense cell over a chunk of time, forward and in mirrored order backward (docs/model.md).
//
//   u, v, y       (T, B, E)  input; its norm, with locked dropout; output, (T, B, O)
//   h, s          (T, B, N)  state; swish(h)
//   A (N, N), B (N, E), C (O, N), D (O, E)
//
//   h = B norm(u)                                           project
//   for t: h_t += A h_{t-1}                                 scan
//          s_t = swish(h_t)                               (h_{t-1} = 0 where a text starts)
//   y = C s + D v (+ u)                                     output; of the last layer of a model
//                                                           without a head: head.cpp
#include <algorithm>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// f(begin, end) for each run of a block's rows in which no text starts at time step t, so that they
// depend on the time step before. All rows count as such at the end of the chunk, where what the
// next chunk passes on is already zero for a text that starts there.
template <class F>
void for_each_run(const CpuLayerChunk& c, int64_t t, const Block& at, const F& f) {
  int64_t begin = at.b0;
  for (int64_t b = at.b0; b < at.b1 && c.starts != nullptr && t < c.steps; ++b) {
    if (!c.starts_at(t, b)) continue;
    if (begin < b) f(begin, b);
    begin = b + 1;
  }
  if (begin < at.b1) f(begin, at.b1);
}

// Zeroes the rows of a block at which a text starts; time step 0 of x is the first of the block.
void clear_starts(const CpuLayerChunk& c, const Block& at, const Array& x) {
  for_each_row(at, [&](int64_t t, int64_t b) {
    if (c.starts_at(t, b)) std::fill_n(x.row(t - at.t0, b), x.width, 0.0f);
  });
}

}  // namespace

void CpuBackend::dense_forward(const CpuLayerChunk& c) const {
  const PackedMatrix a = c.weights.forward(c.w.A);
  const auto project = [&](const Block& at) {  // h = B norm(u)
    c.norm_input(at);
    matmul(at, c.v, c.weights.forward(c.w.B), c.h, false);
  };
  const auto scan = [&](const Block& at) {  // h_t += A h_{t-1}, s_t = swish(h_t)
    const int64_t b0 = at.b0, rows = at.b1 - at.b0;
    for (int64_t t = at.t0; t < at.t1; ++t) {
      for_each_run(c, t, at, [&](int64_t begin, int64_t end) {
        kernels_.matmul({1, end - begin}, {c.h.row(t - 1, begin), 0, c.N}, a,
                        {c.h.row(t, begin), 0, c.N}, true);
      });
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
      for_each_run(c, t + 1, at, [&](int64_t begin, int64_t end) {
        kernels_.matmul({1, end - begin}, {c.dh.row(t + 1, begin), 0, c.N}, a,
                        {c.dh.row(t, begin), 0, c.N}, true);
      });
    }
    copy_row(c.dh.row(at.t0, b0), c.carried.row(0, b0), size);
    clear_starts(c, {at.t0, at.t0 + 1, at.b0, at.b1}, c.carried);
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
  weights.add(c.w.B, c.dh.data, c.v.data);
  weights.add(c.w.C, c.dy.data, c.s.data);
  weights.add(c.w.D, c.dy.data, c.v.data);
  weights.add(c.w.norm, c.dv.data, nullptr);
  if (c.starts != nullptr) {  // where A has no part in h, its gradient has none in dh
    add_weight_gradients(weights, c.steps * c.B, flops, grads);
    weights = {};
    clear_starts(c, {0, c.steps, 0, c.B}, c.dh);
  }
  weights.add(c.w.A, c.dh.data, c.h.row(-1, 0));
  add_weight_gradients(weights, c.steps * c.B, flops, grads);
}

}  // namespace slm
