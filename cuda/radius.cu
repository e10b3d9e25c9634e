// Keeps the spectral radius of dense cells' A at a bound (util/radius.h).
#include <cmath>
#include <utility>

#include "backend.cuh"
#include "sums.cuh"

namespace slm {
namespace {

constexpr int kThreads = 512;

// One block: the norm of x, and x divided by it.
__global__ void divide_by_norm(float* x, int64_t n, double* norm_of_x) {
  __shared__ double partial[kThreads];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += kThreads) sum += double{x[i]} * double{x[i]};
  sum = block_sum<kThreads>(sum, partial);
  if (threadIdx.x == 0) *norm_of_x = sqrt(sum);
  __syncthreads();
  const double norm = *norm_of_x > 0 ? *norm_of_x : 1;  // a power may be zero, as all after it
  for (int64_t i = threadIdx.x; i < n; i += kThreads)
    x[i] = static_cast<float>(double{x[i]} / norm);
}

// By radius_scale, as on the CPU.
__global__ void scale_down(const double* norms, float max_radius, const Verdict* verdict, float* a,
                           int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n || !verdict->finite) return;
  double bound = norms[kSquarings];
  for (int k = kSquarings - 1; k >= 0; --k) bound = norms[k] * sqrt(bound);
  if (bound > double{max_radius}) a[i] *= static_cast<float>(double{max_radius} / bound);
}

}  // namespace

void CudaBackend::bound_radius(float* weights, const TensorTable& table, CudaGradients& gradients,
                               float max_radius, const Verdict* verdict) const {
  for (const Tensor& tensor : table.tensors()) {
    if (!tensor.recurs) continue;
    const int64_t n = tensor.rows(), size = tensor.info.size;
    float *x = gradients.powers.get(), *square = x + size;
    double* norms = gradients.norms.get();
    copy_floats(weights + tensor.offset, size, x);
    for (int k = 0; k <= kSquarings; ++k, std::swap(x, square)) {
      launch(stream_, 1, kThreads, divide_by_norm, x, size, norms + k);
      if (k < kSquarings) gemm_(n, n, n, {x, n}, {x, n}, 0, square, n);
    }
    launch(stream_, num_blocks(size, kThreads), kThreads, scale_down, norms, max_radius, verdict,
           weights + tensor.offset, size);
  }
}

}  // namespace slm
