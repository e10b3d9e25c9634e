// e_t = W_E[x_t]: a gather forward, a scatter backward. The one-hot product is never formed.
#include <cstring>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// total[v] += sum of dy[r] over the r with tokens[r] = v. Rows are `width` of `stride` columns, and
// `sums` has room for a row per byte.
void add_rows(const Kernels& kernels, const uint8_t* tokens, int64_t positions, int64_t stride,
              const float* dy, int64_t width, float* sums, float* total) {
  bool occurred[kVocabSize] = {};
  for (int64_t r = 0; r < positions; ++r) {
    float* sum = sums + tokens[r] * stride;
    if (occurred[tokens[r]])
      kernels.add(dy + r * stride, sum, width);
    else
      std::memcpy(sum, dy + r * stride, static_cast<size_t>(width) * sizeof(float));
    occurred[tokens[r]] = true;
  }
  for (int64_t v = 0; v < kVocabSize; ++v)
    if (occurred[v]) kernels.add(sums + v * stride, total + v * stride, width);
}

}  // namespace

void CpuBackend::embed_forward(const Weights& any_weights, Workspace& any_workspace, int64_t t0,
                               int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const float* table = weights.values.values.get() + weights.embedding->offset;  // (V, E)
  for (int64_t r = t0 * ws.B; r < t1 * ws.B; ++r)
    std::memcpy(ws.u(0, 0) + r * ws.E, table + ws.tokens[r] * ws.E,
                static_cast<size_t>(ws.E) * sizeof(float));
  ws.computed = t1;
}

// As for the other weights, sums of few terms are formed first and then added.
void CpuBackend::embed_backward(const Weights& any_weights, Workspace& any_workspace, Buffer& grads,
                                int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const int64_t positions = (t1 - t0) * ws.B;
  const uint8_t* tokens = ws.tokens + t0 * ws.B;
  float* total = data(grads) + weights.embedding->offset;  // (V, E)
  // Threads share out columns, so that each sum over positions keeps its order.
  split(ws.E, static_cast<double>(positions * ws.E), [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < positions; r += kChunkPositions)
      add_rows(kernels_, tokens + r, std::min(kChunkPositions, positions - r), ws.E,
               ws.dy.get() + r * ws.E + begin, end - begin, ws.table.get() + begin, total + begin);
  });
}

}  // namespace slm
