// Keeps the spectral radius of dense cells' A at a bound (numerics/spectral_radius.h).
#include <cmath>
#include <utility>

#include "backend.cuh"
#include "sums.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;

// Divides x by its norm, which every block computes from the sums.
__global__ void divide_by_norm(const double* sums, int64_t count, float* x, int64_t n,
                               double* norm_of_x) {
  __shared__ double partial[kThreads];
  __shared__ double norm;
  const double sum = block_sum<kThreads>(threadIdx.x < count ? sums[threadIdx.x] : 0, partial);
  if (threadIdx.x == 0) norm = sqrt(sum);
  __syncthreads();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i == 0) *norm_of_x = norm;
  // A power may be zero, and then all following ones are.
  if (i < n) x[i] = static_cast<float>(double{x[i]} / (norm > 0 ? norm : 1));
}

// Scales A by radius_scale, as on the CPU.
__global__ void scale_down(const double* norms, float max_spectral_radius, const ClipResult* clip,
                           float* a, int64_t n) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= n || !clip->finite) return;
  double bound = norms[kSquarings];
  for (int k = kSquarings - 1; k >= 0; --k) bound = norms[k] * sqrt(bound);
  if (bound > double{max_spectral_radius})
    a[i] *= static_cast<float>(double{max_spectral_radius} / bound);
}

}  // namespace

void CudaBackend::bound_spectral_radius(float* weights, const TensorTable& table,
                                        float max_spectral_radius,
                                        CudaUpdateResult& outcome) const {
  SpectralRadiusArrays& arrays = outcome.radius;
  static_assert(SpectralRadiusArrays::kBlocks <= kThreads, "a thread for each sum");
  for (const Tensor& tensor : table.tensors()) {
    if (!tensor.is_recurrent) continue;
    const int64_t n = tensor.rows(), size = tensor.info.size;
    const unsigned grid = num_blocks(size, kThreads);
    float *x = arrays.powers.get(), *square = x + size;
    copy_floats(weights + tensor.offset, size, x);
    for (int k = 0; k <= kSquarings; ++k, std::swap(x, square)) {
      const unsigned blocks =
          sum_squares(x, size, SpectralRadiusArrays::kBlocks, arrays.sums.get());
      launch(stream_, grid, kThreads, divide_by_norm, arrays.sums.get(), blocks, x, size,
             arrays.norms.get() + k);
      if (k < kSquarings) gemm_.exact(n, n, n, {x, n}, {x, n}, square, n);
    }
    launch(stream_, grid, kThreads, scale_down, arrays.norms.get(), max_spectral_radius,
           outcome.clip.get(), weights + tensor.offset, size);
  }
}

}  // namespace slm
