// Softmax and cross-entropy over the 256 bytes, forward and backward at once.
#include <cstring>

#include "cpu/cpu_backend.h"

namespace slm {

void CpuBackend::head_loss(const Weights&, Workspace& any_workspace, int64_t t0, int64_t t1,
                           float scale) const {
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const int64_t first = t0 * ws.B, positions = (t1 - t0) * ws.B;
  split(positions, 20.0 * static_cast<double>(positions * kVocabSize),
        [&](int64_t begin, int64_t end) {
          for (int64_t r = first + begin; r < first + end; ++r) {
            float* logits = ws.logits.get() + r * kVocabSize;
            ws.losses.get()[r] = kernels_.softmax_loss(logits, ws.targets[r], scale,
                                                       ws.shape.training ? logits : nullptr);
          }
        });
}

void CpuBackend::read_logits(const Workspace& any_workspace, int64_t t0, int64_t t1,
                             float* out) const {
  const auto& ws = static_cast<const CpuWorkspace&>(any_workspace);
  const int64_t row = ws.B * kVocabSize;
  std::memcpy(out, ws.logits.get() + t0 * row,
              static_cast<size_t>((t1 - t0) * row) * sizeof(float));
}

void CpuBackend::read_losses(const Workspace& any_workspace, int64_t t0, int64_t t1,
                             float* out) const {
  const auto& ws = static_cast<const CpuWorkspace&>(any_workspace);
  std::memcpy(out, ws.losses.get() + t0 * ws.B,
              static_cast<size_t>((t1 - t0) * ws.B) * sizeof(float));
}

}  // namespace slm
