// AdamW and the gradient's norm over the flat buffers.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// Sums and updates go by blocks of this many values; fixed, so that sums do not depend on threads.
constexpr int64_t kBlock = 16384;

int64_t num_blocks(int64_t size) { return (size + kBlock - 1) / kBlock; }

}  // namespace

double CpuBackend::grad_norm(const Buffer& grads) const {
  const int64_t size = grads.size(), blocks = num_blocks(size);
  std::vector<double> sums(static_cast<size_t>(blocks));
  split(blocks, 2.0 * static_cast<double>(size), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      sums[static_cast<size_t>(i)] =
          kernels_.sum_squares(data(grads) + i * kBlock, std::min(kBlock, size - i * kBlock));
  });
  double total = 0;
  for (double sum : sums) total += sum;
  return std::sqrt(total);
}

void CpuBackend::adamw(Weights& weights, Buffer& grads, Buffer& m, Buffer& v,
                       const TensorTable& table, const AdamWStep& step) const {
  float* w = data(weights.flat());
  for (const Tensor& tensor : table.tensors()) {
    AdamWArgs args;
    args.decay = 1.0f - step.learning_rate * step.weight_decay * tensor.decay_scale;
    args.rate = step.learning_rate / step.correction1;
    args.beta1 = step.beta1;
    args.beta2 = step.beta2;
    args.epsilon = step.epsilon;
    args.inv_correction2 = 1.0f / step.correction2;
    args.grad_scale = step.grad_scale;
    const int64_t size = tensor.info.size;
    split(num_blocks(size), 20.0 * static_cast<double>(size), [&](int64_t begin, int64_t end) {
      const int64_t at = tensor.offset + begin * kBlock;
      kernels_.adamw(args, w + at, data(grads) + at, data(m) + at, data(v) + at,
                     std::min(end * kBlock, size) - begin * kBlock);
    });
  }
}

}  // namespace slm
