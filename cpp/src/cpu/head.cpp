// The head: logits, softmax and cross-entropy over the V = 256 bytes, and back (docs/model.md).
//
//   u, v          (T, B, E)  output of the last layer; its norm, with locked dropout
//   logits        (T, B, V)  then their gradient, softmax(logits) - onehot(target), scaled
//   W_head (V, E), b (V,)
//
//   logits = W_head norm(u) (+ b);  without a head, of the last layer: logits = C swish(h) + D u
#include <algorithm>
#include <cstring>

#include "cpu/cpu_backend.h"
#include "cpu/norm.h"

namespace slm {

// Computes the logits of a chunk and calls finish(r, logits) for each position r, block by block,
// so that the logits of a block do not leave its thread's cache.
template <class Finish>
void CpuBackend::head(const Weights& any_weights, CpuWorkspace& ws, int64_t t0, int64_t t1,
                      const Finish& finish) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  const LayerTensors& last = weights.layers.back();
  const bool own = weights.head != nullptr;
  const int64_t E = ws.E, N = ws.N, B = ws.B, steps = t1 - t0;
  const Array u{ws.u(own ? ws.L : ws.L - 1, t0), B, E}, h{ws.h(ws.L - 1, t0), B, N};
  const Array s{ws.s.get(), B, N}, v{weights.norm ? ws.v.get() : u.data, B, E};
  const Array logits{ws.logits.get(), B, kVocabSize};
  const float *mask = ws.mask(ws.L), *bias = weights.at(weights.head_bias);
  const double flops = 2.0 * static_cast<double>(steps * B * kVocabSize * (own ? E : N + E));
  parallel_for_positions(steps, B, flops, [&](const Block& at) {
    if (own) {
      norm_forward(kernels_, weights.at(weights.norm), u, at, v);
      apply_mask(mask, at, v);
      if (bias != nullptr)
        for_each_row(at,
                     [&](int64_t t, int64_t b) { copy_row(bias, logits.row(t, b), kVocabSize); });
      matmul(at, v, weights.forward(weights.head), logits, bias != nullptr);
    } else {
      for (int64_t t = at.t0; t < at.t1; ++t)
        kernels_.swish_forward(h.row(t, at.b0), s.row(t, at.b0), (at.b1 - at.b0) * N);
      matmul(at, s, weights.forward(last.C), logits, false);
      matmul(at, u, weights.forward(last.D), logits, true);
    }
    for_each_row(at, [&](int64_t t, int64_t b) { finish(t * B + b, logits.row(t, b)); });
  });
}

void CpuBackend::head_logits(const Weights& weights, Workspace& workspace, int64_t t0,
                             int64_t t1) const {
  head(weights, static_cast<CpuWorkspace&>(workspace), t0, t1, [](int64_t, float*) {});
}

void CpuBackend::head_loss(const Weights& weights, Workspace& workspace, int64_t t0, int64_t t1,
                           float scale) const {
  auto& ws = static_cast<CpuWorkspace&>(workspace);
  const uint8_t* targets = ws.targets + t0 * ws.B;
  float* losses = ws.losses.get() + t0 * ws.B;
  const bool training = ws.shape.training;
  head(weights, ws, t0, t1, [&](int64_t r, float* logits) {
    losses[r] = kernels_.softmax_loss(logits, targets[r], scale, training ? logits : nullptr);
  });
}

// ws.v still holds what head_loss multiplied by W_head.
void CpuBackend::head_backward(const Weights& any_weights, Workspace& any_workspace,
                               Gradients& any_gradients, int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const int64_t E = ws.E, B = ws.B, steps = t1 - t0;
  const Array u{ws.u(ws.L, t0), B, E}, v{weights.norm ? ws.v.get() : u.data, B, E};
  const Array dy{ws.logits.get(), B, kVocabSize}, dv{ws.dv.get(), B, E}, du{ws.dy.get(), B, E};
  const double flops = 2.0 * static_cast<double>(steps * B * kVocabSize * E);
  parallel_for_positions(steps, B, flops, [&](const Block& at) {
    matmul(at, dy, weights.backward(weights.head), weights.norm ? dv : du, false);
    if (weights.norm == nullptr) return;
    for_each_row(at, [&](int64_t t, int64_t b) { std::fill_n(du.row(t, b), E, 0.0f); });
    apply_mask(ws.mask(ws.L), at, dv);
    norm_backward(kernels_, weights.at(weights.norm), u, at, dv, du);
  });
  WeightGrads grads;
  grads.add(weights.head, dy.data, v.data);
  grads.add(weights.head_bias, dy.data, nullptr);
  grads.add(weights.norm, dv.data, nullptr);
  add_weight_gradients(grads, steps * B, flops,
                       static_cast<CpuGradients&>(any_gradients).dense.get());
}

void CpuBackend::read_logits(const Workspace& any_workspace, int64_t count, float* out) const {
  const auto& ws = static_cast<const CpuWorkspace&>(any_workspace);
  std::memcpy(out, ws.logits.get(), static_cast<size_t>(count * kVocabSize) * sizeof(float));
}

void CpuBackend::read_losses(const Workspace& any_workspace, int64_t t0, int64_t t1,
                             float* out) const {
  const auto& ws = static_cast<const CpuWorkspace&>(any_workspace);
  std::memcpy(out, ws.losses.get() + t0 * ws.B,
              static_cast<size_t>((t1 - t0) * ws.B) * sizeof(float));
}

void CpuBackend::add_losses(const Workspace& any_workspace, int64_t t0, int64_t t1,
                            Gradients& gradients) const {
  const auto& ws = static_cast<const CpuWorkspace&>(any_workspace);
  double sum = 0;
  for (int64_t i = t0 * ws.B; i < t1 * ws.B; ++i) sum += double{ws.losses.get()[i]};
  static_cast<CpuGradients&>(gradients).loss += sum;
}

}  // namespace slm
