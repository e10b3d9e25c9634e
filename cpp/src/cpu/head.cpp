// The head: logits, softmax and cross-entropy over the 256 bytes, and back. The logits are
// W_head norm(u), or in a model without a head the last layer's y = C swish(h) + D v.
#include <cstring>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

constexpr int64_t kGroup = 64;

}  // namespace

// Computes the logits of a chunk and calls finish(r, logits) for each of its positions r. Positions
// do not depend on each other here, and a thread does all of it for its own, a few at a time, so
// that their logits do not leave its cache.
template <class Finish>
void CpuBackend::head(const Weights& any_weights, CpuWorkspace& ws, int64_t t0, int64_t t1,
                      const Finish& finish) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  const LayerWeights& last = weights.layers.back();
  const bool own = weights.head.tensor != nullptr;
  const int64_t E = ws.E, N = ws.N, V = kVocabSize, positions = (t1 - t0) * ws.B;
  const float *u = ws.u(own ? ws.L : ws.L - 1, t0), *h = ws.h(ws.L - 1, t0);
  float *s = ws.s.get(), *logits = ws.logits.get(), *v = ws.v.get();
  const double flops = 2.0 * static_cast<double>(positions * V * (own ? E : N + E));
  split(positions, flops, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += kGroup) {
      const RowGrid rows{1, std::min(kGroup, end - r)};
      const Rows y{logits + r * V, 0, V};
      if (own) {
        const float* in = norm_rows(weights, weights.norm, u + r * E, rows.inner, v + r * E);
        kernels_.matmul(rows, {in, 0, E}, weights.head.forward(), y, false);
      } else {
        kernels_.swish_forward(h + r * N, s + r * N, rows.inner * N);
        kernels_.matmul(rows, {s + r * N, 0, N}, last.C.forward(), y, false);
        kernels_.matmul(rows, {u + r * E, 0, E}, last.D.forward(), y, true);
      }
      for (int64_t i = r; i < r + rows.inner; ++i) finish(i, logits + i * V);
    }
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

// ws.v has what head_loss multiplied.
void CpuBackend::head_backward(const Weights& any_weights, Workspace& any_workspace,
                               Gradients& any_gradients, int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const int64_t E = ws.E, V = kVocabSize, positions = (t1 - t0) * ws.B;
  const float *u = ws.u(ws.L, t0), *dy = ws.logits.get();
  float *dv = ws.dv.get(), *du = ws.dy.get();
  const double flops = 2.0 * static_cast<double>(positions * V * E);
  split(positions, flops, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += kGroup) {
      const RowGrid rows{1, std::min(kGroup, end - r)};
      float* into = weights.norm ? dv : du;
      kernels_.matmul(rows, {dy + r * V, 0, V}, weights.head.backward(), {into + r * E, 0, E},
                      false);
      if (weights.norm == nullptr) continue;
      std::fill_n(du + r * E, rows.inner * E, 0.0f);
      for (int64_t i = r; i < r + rows.inner; ++i)
        kernels_.rms_backward(u + i * E, weights.at(*weights.norm), dv + i * E, du + i * E, E);
    }
  });
  WeightGrads grads;
  grads.add(weights.head.tensor, dy, weights.norm ? ws.v.get() : u);
  grads.add(weights.norm, dv, nullptr);
  add_weight_gradients(grads, positions, flops,
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

}  // namespace slm
