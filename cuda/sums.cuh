#pragma once
// Sums over the threads of a block.

namespace slm {

// The sum over all threads of the block, in thread 0, in a fixed order. `partial` is shared memory
// for as many values. All threads have to call it.
template <int threads>
__device__ double block_sum(double x, double* partial) {
  partial[threadIdx.x] = x;
  for (unsigned half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
  }
  return partial[0];
}

}  // namespace slm
