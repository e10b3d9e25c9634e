// Row-sparse gradients of the n-gram and match tables, and the gradients of their projections.
//
// The n-grams and matches of a range are sorted by row and, within a row, by position (sort.cu);
// then one block adds up all gradients of a row, in that order, in sums of at most kChunkPositions
// positions as on the CPU. So there are no atomics, and every sum has the CPU's bits.
#include "backend.cuh"

namespace slm {
namespace {

constexpr int kThreads = 128;

// The gradient of P_n, a thread per value; block (., i) does order i.
__global__ void project_weights(Ngrams ngrams, const float* parameters, const int32_t* rows,
                                const float* de, int64_t E, int64_t positions, float* grads) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x, width = ngrams.width;
  if (at >= E * width) return;
  const int64_t i = blockIdx.y, j = at / width, k = at % width;
  float total = grads[ngrams.projection[i] + at];
  for (int64_t chunk = 0; chunk < positions; chunk += kChunkPositions) {
    float sum = 0;
    for (int64_t r = chunk; r < positions && r < chunk + kChunkPositions; ++r) {
      const int64_t row = rows[r * ngrams.orders + i];
      if (row >= 0) sum = fmaf(de[r * E + j], parameters[ngrams.offset + row * width + k], sum);
    }
    total += sum;
  }
  grads[ngrams.projection[i] + at] = total;
}

// dx = P_n^T de, a block per position and order.
__global__ void project_back(Ngrams ngrams, const float* parameters, const float* de, int64_t E,
                             float* dx) {
  const int64_t r = blockIdx.x / ngrams.orders, i = blockIdx.x % ngrams.orders;
  const int64_t width = ngrams.width;
  const float* projection = parameters + ngrams.projection[i];
  for (int64_t k = threadIdx.x; k < width; k += kThreads) {
    float sum = 0;
    for (int64_t j = 0; j < E; ++j) sum = fmaf(de[r * E + j], projection[j * width + k], sum);
    dx[blockIdx.x * width + k] = sum;
  }
}

// A block per sorted occurrence; the first one of a row adds up all of the row's. The gradient of
// an occurrence is row index / sharing of dx.
__global__ void add_to_rows(const Occurrence* sorted, int64_t count, int64_t orders,
                            int64_t sharing, const float* dx, int64_t rows, int64_t width,
                            float* values, uint8_t* touched) {
  const int64_t begin = blockIdx.x;
  const int32_t row = sorted[begin].row;
  if (row == rows || (begin > 0 && sorted[begin - 1].row == row)) return;
  for (int64_t k = threadIdx.x; k < width; k += kThreads) {
    float total = values[row * width + k], sum = 0;
    int64_t chunk = sorted[begin].index / orders / kChunkPositions;
    for (int64_t i = begin; i < count && sorted[i].row == row; ++i) {
      const int64_t index = sorted[i].index;
      if (index / orders / kChunkPositions != chunk) {
        total += sum;
        sum = 0;
        chunk = index / orders / kChunkPositions;
      }
      sum += dx[index / sharing * width + k];
    }
    values[row * width + k] = total + sum;
  }
  if (threadIdx.x == 0) touched[row] = 1;
}

}  // namespace

// de (positions, E) is the gradient of the sum of the n-gram and match embeddings.
void CudaBackend::ngrams_backward(const CudaWeights& weights, CudaWorkspace& ws,
                                  CudaGradients& gradients, const float* de, int64_t first,
                                  int64_t positions) const {
  const Ngrams& ngrams = ws.ngrams;
  const int64_t count = positions * ngrams.orders;
  const float* parameters = device_data(weights.values);
  const int32_t* rows = ws.rows.get() + first * ngrams.orders;
  float* dx = device_data(ws.dx);
  if (ngrams.narrow) {
    const dim3 blocks(num_blocks(ws.E * ngrams.width, kThreads),
                      static_cast<unsigned>(ngrams.orders));
    launch(stream_, blocks, kThreads, project_weights, ngrams, parameters, rows, de, ws.E,
           positions, gradients.values.get());
    launch(stream_, num_blocks(count, 1), kThreads, project_back, ngrams, parameters, de, ws.E, dx);
  }
  launch(stream_, num_blocks(count, 1), kThreads, add_to_rows, sort_rows(ws, rows, count), count,
         ngrams.orders, ngrams.narrow ? 1 : ngrams.orders, ngrams.narrow ? dx : de, ngrams.rows,
         ngrams.width, gradients.values.get() + ngrams.offset, gradients.touched.get());
}

}  // namespace slm
