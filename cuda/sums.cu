// Column sums: the last step of the gradients of biases and norms. There are few rows, since each
// one is the sum of a block of another kernel.
#include "backend.cuh"
#include "warp.cuh"

namespace slm {
namespace {

constexpr int kWarps = 16;

// Block i has the columns [i, i + 1) kWarpSize, each of its warps every kWarps-th row.
__global__ void add_column_sums(const float* x, int64_t rows, int64_t width, float* out) {
  __shared__ float sums[kWarps][kWarpSize];
  const unsigned lane = threadIdx.x % kWarpSize, warp = threadIdx.x / kWarpSize;
  const int64_t j = int64_t{blockIdx.x} * kWarpSize + lane;
  float sum = 0;
  for (int64_t r = warp; r < rows && j < width; r += kWarps) sum += x[r * width + j];
  sums[warp][lane] = sum;
  __syncthreads();
  if (warp != 0 || j >= width) return;
  for (int w = 1; w < kWarps; ++w) sum += sums[w][lane];
  out[j] += sum;
}

}  // namespace

void CudaBackend::add_columns(const float* x, int64_t rows, int64_t width, float* out) const {
  launch(stream_, num_blocks(width, kWarpSize), kWarps * kWarpSize, add_column_sums, x, rows, width,
         out);
}

}  // namespace slm
