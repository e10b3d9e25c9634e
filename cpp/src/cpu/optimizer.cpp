// AdamW and the gradient's norm over the flat buffers.
#include <cmath>

#include "cpu/cpu_backend.h"

namespace slm {

// Sums of fixed parts, so that the result does not depend on threads.
double CpuBackend::grad_norm(const Buffer& grads) const {
  constexpr int64_t kParts = 64;
  double sums[kParts];
  const int64_t size = grads.size(), share = (size + kParts - 1) / kParts;
  split(kParts, 2.0 * static_cast<double>(size), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = std::min(size, i * share);
      sums[i] = kernels_.sum_squares(data(grads) + at, std::min(share, size - at));
    }
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

// Threads share out values and not tensors: one pass over the flat buffers.
void CpuBackend::adamw(Weights& weights, Buffer& grads, Buffer& m, Buffer& v,
                       const TensorTable& table, const AdamWStep& step) const {
  float* w = data(weights.flat());
  const int64_t size = table.num_parameters();
  split(size, 20.0 * static_cast<double>(size), [&](int64_t begin, int64_t end) {
    AdamWArgs args;
    args.rate = step.learning_rate / step.correction1;
    args.beta1 = step.beta1;
    args.beta2 = step.beta2;
    args.epsilon = step.epsilon;
    args.inv_correction2 = 1.0f / step.correction2;
    args.grad_scale = step.grad_scale;
    for (const Tensor& tensor : table.tensors()) {
      const int64_t from = std::max(begin, tensor.offset);
      const int64_t to = std::min(end, tensor.offset + tensor.info.size);
      if (from >= to) continue;
      args.decay = 1.0f - step.learning_rate * step.weight_decay * tensor.decay_scale;
      kernels_.adamw(args, w + from, data(grads) + from, data(m) + from, data(v) + from, to - from);
    }
  });
}

}  // namespace slm
