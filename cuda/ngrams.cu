// The vectors of hashed n-grams and of matches: Σ_n P_n G_n[row_n] is added to a position's
// embedding. Of the tables only the rows that occur are ever touched.
//
// Backward sorts a range's n-grams and matches by row and, within a row, by position; then a block
// adds up a row's gradients alone, in that order and in the CPU's tiles. So there are no atomics,
// and every sum has the CPU's bits.
#include "backend.cuh"
#include "numerics/match.h"
#include "numerics/ngram.h"

namespace slm {
namespace {

constexpr int kThreads = 128;

// A text of the batch as a position sees it.
struct Text {
  const uint8_t* tokens;
  const float* history;
  int64_t B, K, t, b;

  // The byte `i` before the newest, plus one; 0 before the start of the text.
  __device__ int operator()(int64_t i) const {
    if (i <= t) return 1 + tokens[(t - i) * B + b];
    return i - t <= K ? static_cast<int>(history[b * K + K - (i - t)]) : 0;
  }
  // How many bytes the history has; what is before the start of the text comes first in it.
  __device__ int64_t past() const {
    int64_t none = 0, some = K;
    while (none < some) {
      const int64_t middle = (none + some) / 2;
      if (history[b * K + middle] > 0)
        some = middle;
      else
        none = middle + 1;
    }
    return K - none;
  }
};

// A position's n-grams and matches. Nothing is shared between positions, which each try the whole
// span for a match.
__global__ void find_rows(Ngrams ngrams, const uint8_t* tokens, const float* history, Drop drop,
                          int64_t B, int64_t positions, int32_t* rows) {
  const int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (r >= positions) return;
  const Text text{tokens, history, B, ngrams.history, r / B, r % B};
  int32_t* found = rows + r * ngrams.orders;
  const auto put = [&](int64_t i, int64_t row) {
    const bool has_none = row < 0 || drop.loses(r, i);
    found[i] = has_none ? -1 : static_cast<int32_t>(ngrams.first_row[i] + row);
  };
  NgramKey key;
  for (int64_t i = kMaxNgramOrder - 1; i >= 0; --i)
    if (text(i) > 0) key.push(static_cast<uint8_t>(text(i) - 1));
  const int64_t orders = ngrams.orders - ngrams.matches;
  for (int64_t i = 0; i < orders; ++i) put(i, ngram_row(key, ngrams.length[i], ngrams.buckets));
  if (ngrams.matches == 0) return;
  for (int64_t i = orders; i < ngrams.orders; ++i) found[i] = -1;
  const int64_t before = text.t + text.past();
  const int64_t count = (before < ngrams.span ? before : ngrams.span) + 1;
  find_matches([&](int64_t i) { return static_cast<uint8_t>(text(i) - 1); }, count,
               ngrams.length + orders, ngrams.matches,
               [&](int64_t i, int64_t row) { put(orders + i, row); });
}

// The K bytes that end the text: those of the window, and before them what was there before it.
__global__ void latest_bytes(const uint8_t* tokens, const float* history, int64_t computed,
                             int64_t B, int64_t K, float* latest) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x, b = i / K, k = i % K;
  if (b >= B) return;
  const int64_t t = computed - K + k;
  latest[i] = t >= 0 ? 1.0f + tokens[t * B + b] : history[i + computed];
}

// One block per position: adds its vectors to e. `parameters` is the flat buffer.
__global__ void add_vectors(Ngrams ngrams, const float* parameters, const int32_t* rows, Drop drop,
                            int64_t E, float* e) {
  const int64_t width = ngrams.width;
  e += blockIdx.x * E;
  for (int64_t j = threadIdx.x; j < E; j += kThreads) {
    float sum = drop.active() ? 0.0f : e[j];
    for (int64_t i = 0; i < ngrams.orders; ++i) {
      const int64_t row = rows[blockIdx.x * ngrams.orders + i];
      if (row < 0) continue;
      const float* vector = parameters + ngrams.offset + row * width;
      if (ngrams.narrow) {
        const float* projection = parameters + ngrams.projection[i] + j * width;
        for (int64_t k = 0; k < width; ++k) sum = fmaf(vector[k], projection[k], sum);
      } else {
        sum += vector[j];
      }
    }
    e[j] = drop.active() ? e[j] + sum * drop.scale() : sum;
  }
}

// The gradient of P_n, a thread per value; block (., i) does order i.
__global__ void project_weights(Ngrams ngrams, const float* parameters, const int32_t* rows,
                                const float* de, int64_t E, int64_t positions, float* grads) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x, width = ngrams.width;
  if (at >= E * width) return;
  const int64_t i = blockIdx.y, j = at / width, k = at % width;
  float total = grads[ngrams.projection[i] + at];
  for (int64_t tile = 0; tile < positions; tile += kChunkPositions) {
    float sum = 0;
    for (int64_t r = tile; r < positions && r < tile + kChunkPositions; ++r) {
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
    int64_t tile = sorted[begin].index / orders / kChunkPositions;
    for (int64_t i = begin; i < count && sorted[i].row == row; ++i) {
      const int64_t index = sorted[i].index;
      if (index / orders / kChunkPositions != tile) {
        total += sum;
        sum = 0;
        tile = index / orders / kChunkPositions;
      }
      sum += dx[index / sharing * width + k];
    }
    values[row * width + k] = total + sum;
  }
  if (threadIdx.x == 0) touched[row] = 1;
}

}  // namespace

void CudaBackend::find_ngrams(CudaWorkspace& ws, int64_t seq_len) const {
  launch(stream_, num_blocks(seq_len * ws.B, kThreads), kThreads, find_rows, ws.ngrams,
         ws.tokens.get(), ws.history(), ws.drop(0), ws.B, seq_len * ws.B, ws.rows.get());
}

void CudaBackend::save_history(const CudaWorkspace& ws, Buffer& state) const {
  const int64_t K = ws.ngrams.history;
  launch(stream_, num_blocks(ws.B * K, kThreads), kThreads, latest_bytes, ws.tokens.get(),
         ws.history(), ws.computed, ws.B, K, device_data(state) + hidden_size(ws.config, ws.B));
}

// To e of the positions from `first` on.
void CudaBackend::add_ngrams(const CudaWeights& weights, CudaWorkspace& ws, const Drop& drop,
                             int64_t first, int64_t positions) const {
  launch(stream_, num_blocks(positions, 1), kThreads, add_vectors, ws.ngrams,
         device_data(weights.values), ws.rows.get() + first * ws.ngrams.orders, drop, ws.E,
         device_data(ws.u) + first * ws.E);
}

// de (positions, E) is the gradient of the sum of the looked-up vectors.
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
