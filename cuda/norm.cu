// RMS norm: v = w x r with r = 1 / sqrt(mean(x²) + 1e-6), one warp per row. Both passes read a row
// twice, the second time from the cache, and are fused with the operations around the norm: forward
// copies x to the start value of the residual sum, backward adds dx to the residual's gradient and
// forms the sums for the gradient of w.
#include <algorithm>

#include "backend.cuh"
#include "warp.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

__device__ float inverse_rms(const float* x, int64_t E) {
  float squares = 0;
  for (int64_t e = threadIdx.x % kWarpSize; e < E; e += kWarpSize)
    squares = fmaf(x[e], x[e], squares);
  return 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(E) + 1e-6f);
}

// The mask of locked dropout, (batch, E): the same at all time steps.
struct Mask {
  const float* values;  // or null
  int64_t batch;

  __device__ const float* of_row(int64_t row, int64_t E) const {
    return values != nullptr ? values + row % batch * E : nullptr;
  }
};

__device__ float masked(const float* mask, int64_t e, float x) {
  return mask != nullptr ? x * mask[e] : x;
}

// `copy` may be null.
__global__ void norm_rows(const float* weight, const float* x, Mask mask, int64_t rows, int64_t E,
                          float* v, float* copy) {
  const int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (row >= rows) return;  // all of the warp
  const float r = inverse_rms(x + row * E, E);
  const float* row_mask = mask.of_row(row, E);
  for (int64_t i = row * E + threadIdx.x % kWarpSize; i < (row + 1) * E; i += kWarpSize) {
    v[i] = masked(row_mask, i - row * E, weight[i - row * E] * (x[i] * r));
    if (copy != nullptr) copy[i] = x[i];
  }
}

// With u = x r:  dx = r (w dv − u mean(w dv u)) + residual, which may be null, or dx itself. dv is
// the incoming gradient times the mask. Returns r.
__device__ float norm_row_backward(const float* weight, const float* x, const float* dv,
                                   const float* mask, const float* residual, int64_t E, float* dx) {
  const float r = inverse_rms(x, E);
  float sum = 0;  // of w dv x
  for (int64_t e = threadIdx.x % kWarpSize; e < E; e += kWarpSize)
    sum = fmaf(weight[e] * masked(mask, e, dv[e]), x[e], sum);
  const float mean = r * (warp_sum(sum) / static_cast<float>(E));
  for (int64_t e = threadIdx.x % kWarpSize; e < E; e += kWarpSize) {
    const float du = fmaf(-(x[e] * r), mean, weight[e] * masked(mask, e, dv[e]));
    dx[e] = fmaf(r, du, residual != nullptr ? residual[e] : 0.0f);
  }
  return r;
}

// Each block has a range of the rows, and writes their sum of dv u, a term of dw, to its row of
// `sums`. It goes through them in tiles of one row per warp, which are still in the cache when its
// threads then sum columns.
__global__ void norm_rows_backward(const float* weight, const float* x, const float* dv, Mask mask,
                                   const float* residual, int64_t rows, int64_t E, float* dx,
                                   float* sums) {
  __shared__ float inverses[kWarps];
  const int64_t warp = threadIdx.x / kWarpSize;
  const int64_t begin = rows * blockIdx.x / gridDim.x, end = rows * (blockIdx.x + 1) / gridDim.x;
  sums += blockIdx.x * E;
  for (int64_t tile = begin; tile < end; tile += kWarps) {
    const int64_t size = end - tile < kWarps ? end - tile : kWarps;
    if (warp < size) {
      const int64_t at = (tile + warp) * E;
      const float r = norm_row_backward(weight, x + at, dv + at, mask.of_row(tile + warp, E),
                                        residual != nullptr ? residual + at : nullptr, E, dx + at);
      if (threadIdx.x % kWarpSize == 0) inverses[warp] = r;
    }
    __syncthreads();
    for (int64_t e = threadIdx.x; e < E; e += kThreads) {
      float sum = 0;
      for (int64_t i = 0; i < size; ++i) {
        const int64_t at = (tile + i) * E + e;
        const float d = masked(mask.of_row(tile + i, E), e, dv[at]);
        sum = fmaf(d, x[at] * inverses[i], sum);
      }
      sums[e] = tile == begin ? sum : sums[e] + sum;
    }
    __syncthreads();
  }
}

}  // namespace

void CudaBackend::norm_forward(const CudaWorkspace& ws, const float* weight, const float* mask,
                               const float* x, int64_t rows, float* v, float* copy) const {
  launch(stream_, num_blocks(rows, kWarps), kThreads, norm_rows, weight, x, Mask{mask, ws.B}, rows,
         ws.E, v, copy);
}

void CudaBackend::norm_backward(CudaWorkspace& ws, const float* weight, const float* mask,
                                const float* x, const float* dv, const float* residual,
                                int64_t rows, float* dx, float* dw) const {
  const unsigned blocks = std::min<unsigned>(kSumBlocks, num_blocks(rows, kWarps));
  float* sums = device_data(ws.block_sums);
  launch(stream_, blocks, kThreads, norm_rows_backward, weight, x, dv, Mask{mask, ws.B}, residual,
         rows, ws.E, dx, sums);
  add_columns(sums, blocks, ws.E, dw);
}

}  // namespace slm
