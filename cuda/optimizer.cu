// AdamW and the gradient's norm over the flat buffers. Multiply-adds are explicit and the same as
// in the CPU's vector kernels, and nvcc is told not to fuse others (-fmad=false), so that a step
// gives the same bits on both.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "backend.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMinShare = 4096;  // values whose squares one block sums, at least

struct AdamWFactors {
  float decay;  // 1 - lr * weight_decay
  float rate;   // lr / correction1
  float beta1, beta2, epsilon;
  float inv_correction2;  // 1 / correction2
  float grad_scale;
};

__global__ void update(AdamWFactors f, float* w, float* g, float* m, float* v, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n) return;
  const float grad = g[i] * f.grad_scale;
  m[i] = fmaf(f.beta1, m[i], (1.0f - f.beta1) * grad);
  v[i] = fmaf(f.beta2, v[i], (1.0f - f.beta2) * (grad * grad));
  const float step = f.rate * m[i] / (sqrtf(v[i] * f.inv_correction2) + f.epsilon);
  w[i] = fmaf(w[i], f.decay, 0.0f - step);
  g[i] = 0;
}

// Each block sums its share, in an order that depends on n alone.
__global__ void sum_squares(const float* x, int64_t n, double* sums) {
  __shared__ double partial[kThreads];
  const int64_t begin = n * blockIdx.x / gridDim.x, end = n * (blockIdx.x + 1) / gridDim.x;
  double sum = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) sum += double{x[i]} * double{x[i]};
  partial[threadIdx.x] = sum;
  for (unsigned half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = partial[0];
}

}  // namespace

double CudaBackend::grad_norm(const Buffer& grads) const {
  const unsigned blocks = std::min(kNormBlocks, num_blocks(grads.size(), kMinShare));
  double sums[kNormBlocks];
  {
    const std::lock_guard<std::mutex> lock(norm_mutex_);
    launch(stream_, blocks, kThreads, sum_squares, device_data(grads), grads.size(),
           norm_sums_.get());
    copy_bytes(norm_sums_.get(), blocks * sizeof(double), sums, cudaMemcpyDeviceToHost);
  }
  return std::sqrt(std::accumulate(sums, sums + blocks, 0.0));
}

void CudaBackend::adamw(Weights& weights, Buffer& grads, Buffer& m, Buffer& v,
                        const TensorTable& table, const AdamWStep& step) const {
  AdamWFactors factors = {};
  factors.rate = step.learning_rate / step.correction1;
  factors.beta1 = step.beta1;
  factors.beta2 = step.beta2;
  factors.epsilon = step.epsilon;
  factors.inv_correction2 = 1.0f / step.correction2;
  factors.grad_scale = step.grad_scale;
  float* w = device_data(weights.flat());
  // Tensors that follow each other with the same decay are one launch.
  const std::vector<Tensor>& tensors = table.tensors();
  for (size_t i = 0; i < tensors.size();) {
    const int64_t at = tensors[i].offset;
    const float scale = tensors[i].decay_scale;
    int64_t size = 0;
    for (; i < tensors.size() && tensors[i].decay_scale == scale; ++i) size += tensors[i].info.size;
    factors.decay = 1.0f - step.learning_rate * step.weight_decay * scale;
    launch(stream_, num_blocks(size, kThreads), kThreads, update, factors, w + at,
           device_data(grads) + at, device_data(m) + at, device_data(v) + at, size);
  }
}

}  // namespace slm
