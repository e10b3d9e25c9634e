// The head: the last layer's output y = C swish(h) + D u, softmax and cross-entropy over the 256
// bytes, forward and backward at once.
#include <cstring>

#include "cpu/cpu_backend.h"

namespace slm {

// Computes the logits of a chunk and calls finish(r, logits) for each of its positions r. Positions
// do not depend on each other here, and a thread does all of it for its own, a few at a time, so
// that their logits do not leave its cache.
template <class Finish>
void CpuBackend::head(const Weights& any_weights, CpuWorkspace& ws, int64_t t0, int64_t t1,
                      const Finish& finish) const {
  constexpr int64_t kGroup = 64;
  const PackedLayer& w = static_cast<const CpuWeights&>(any_weights).layers.back();
  const int64_t E = ws.E, N = ws.N, V = kVocabSize, positions = (t1 - t0) * ws.B;
  const float *u = ws.u(ws.L - 1, t0), *h = ws.h(ws.L - 1, t0);
  float *s = ws.s.get(), *logits = ws.logits.get();
  const double flops = 2.0 * static_cast<double>(positions * V * (N + E));
  split(positions, flops, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += kGroup) {
      const RowGrid rows{1, std::min(kGroup, end - r)};
      const Rows y{logits + r * V, 0, V};
      kernels_.swish_forward(h + r * N, s + r * N, rows.inner * N);
      kernels_.matmul(rows, {s + r * N, 0, N}, w.C.forward(), y, false);
      kernels_.matmul(rows, {u + r * E, 0, E}, w.D.forward(), y, true);
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
