// e_t = W_E[x_t]: a gather forward, a scatter backward. The one-hot product is never formed.
#include <cstring>

#include "cpu/cpu_backend.h"

namespace slm {

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

void CpuBackend::embed_backward(const Weights& any_weights, Workspace& any_workspace, Buffer& grads,
                                int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  float* table = data(grads) + weights.embedding->offset;  // (V, E)
  const int64_t positions = (t1 - t0) * ws.B;
  // Threads share out columns, so that each sum over positions keeps its order.
  split(ws.E, static_cast<double>(positions * ws.E), [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < positions; ++r)
      kernels_.add(ws.dy.get() + r * ws.E + begin, table + ws.tokens[t0 * ws.B + r] * ws.E + begin,
                   end - begin);
  });
}

}  // namespace slm
