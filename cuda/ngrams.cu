// Embeddings of hashed n-grams and of the match model: a position's embedding gets
// Σ_n P_n G_n[row_n]. Only the rows that occur are ever read. Backward: sparse_gradients.cu.
#include "backend.cuh"
#include "numerics/match.h"
#include "numerics/ngram.h"

namespace slm {
namespace {

constexpr int kThreads = 128;

// The text of row b up to time step t, read backwards. It starts at time step `start` or, if that
// is -1, before the window.
struct Text {
  const uint8_t* tokens;
  const float* history;
  int64_t B, K, t, b, start;

  // The byte `i` before the newest, plus one; 0 before the start of the text.
  __device__ int operator()(int64_t i) const {
    if (start >= 0 && i > t - start) return 0;
    if (i <= t) return 1 + tokens[(t - i) * B + b];
    return i - t <= K ? static_cast<int>(history[b * K + K - (i - t)]) : 0;
  }
  // Bytes in the history; entries before the start of the text come first and are 0.
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
  // Bytes before the newest.
  __device__ int64_t earlier() const { return start >= 0 ? t - start : t + past(); }
};

__device__ int64_t start_of(const Starts& starts, int64_t position) {
  return starts.text_start != nullptr ? starts.text_start[position] : -1;
}

// Finds the n-grams and matches of all positions, one thread each. Positions share no work: each
// searches the whole span for a match.
__global__ void find_rows(Ngrams ngrams, const uint8_t* tokens, const float* history, Starts starts,
                          Drop drop, int64_t B, int64_t positions, int32_t* rows) {
  const int64_t r = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (r >= positions) return;
  const Text text{tokens, history, B, ngrams.history, r / B, r % B, start_of(starts, r)};
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
  const int64_t before = text.earlier();
  const int64_t count = (before < ngrams.span ? before : ngrams.span) + 1;
  find_matches([&](int64_t i) { return static_cast<uint8_t>(text(i) - 1); }, count,
               ngrams.length + orders, ngrams.matches,
               [&](int64_t i, int64_t row) { put(orders + i, row); });
}

// The last K bytes of the text: those of the window, preceded by the history; 0 before its start.
__global__ void latest_bytes(const uint8_t* tokens, const float* history, Starts starts,
                             int64_t computed, int64_t B, int64_t K, float* latest) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x, b = i / K, k = i % K;
  if (b >= B) return;
  const int64_t t = computed - K + k, start = start_of(starts, (computed - 1) * B + b);
  if (start >= 0 && t < start)
    latest[i] = 0;
  else
    latest[i] = t >= 0 ? 1.0f + tokens[t * B + b] : history[i + computed];
}

// Adds the n-gram and match embeddings to e, one block per position. `parameters` is the flat
// buffer.
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

}  // namespace

void CudaBackend::find_ngrams(CudaWorkspace& ws, int64_t seq_len) const {
  launch(stream_, num_blocks(seq_len * ws.B, kThreads), kThreads, find_rows, ws.ngrams,
         ws.tokens.get(), ws.history(), ws.starts(0), ws.drop(0), ws.B, seq_len * ws.B,
         ws.rows.get());
}

void CudaBackend::save_history(const CudaWorkspace& ws, Buffer& state) const {
  const int64_t K = ws.ngrams.history;
  launch(stream_, num_blocks(ws.B * K, kThreads), kThreads, latest_bytes, ws.tokens.get(),
         ws.history(), ws.starts(0), ws.computed, ws.B, K,
         device_data(state) + hidden_size(ws.config, ws.B));
}

// Adds to e of the positions from `first` on.
void CudaBackend::add_ngrams(const CudaWeights& weights, CudaWorkspace& ws, const Drop& drop,
                             int64_t first, int64_t positions) const {
  launch(stream_, num_blocks(positions, 1), kThreads, add_vectors, ws.ngrams,
         device_data(weights.values), ws.rows.get() + first * ws.ngrams.orders, drop, ws.E,
         device_data(ws.u) + first * ws.E);
}

}  // namespace slm
