// Embeddings of hashed n-grams and of the match model: a position's embedding gets
// Σ_n P_n G_n[row_n]. Only the rows that occur are ever read. Backward: sparse_gradients.cpp.
#include <algorithm>

#include "cpu/cpu_backend.h"
#include "numerics/dropout.h"
#include "numerics/ngram.h"
#include "numerics/philox.h"

namespace slm {

// Finds the rows of all positions of a window, incrementally along each text. There is no row for
// an n-gram or match that dropout drops, or that would begin before the start of the text.
void CpuBackend::find_ngrams(CpuWorkspace& ws, int64_t seq_len) const {
  const std::vector<int64_t>& orders = ws.config.ngram_orders;
  const auto num_orders = static_cast<int64_t>(orders.size());
  const int64_t tables = num_sparse_tables(ws.config);
  const Philox random(ws.dropout.seed, PhiloxStream::dropout);
  const uint32_t threshold = drop_threshold(ws.dropout.rate);
  for (int64_t b = 0; b < ws.B; ++b) {
    const int64_t K = ws.history != nullptr && !ws.starts_at(0, b) ? ws.K : 0;
    const float* history = ws.history + b * K;
    const int32_t* matches = ws.config.match_lengths.empty()
                                 ? nullptr
                                 : ws.matches.find(history, K, ws.tokens + b, ws.B, seq_len,
                                                   ws.starts != nullptr ? ws.starts + b : nullptr);
    NgramKey key;
    for (int64_t k = std::max<int64_t>(0, K - kMaxNgramOrder); k < K; ++k)
      if (history[k] > 0) key.push(static_cast<uint8_t>(history[k] - 1));
    for (int64_t t = 0; t < seq_len; ++t) {
      if (ws.starts_at(t, b)) key = {};
      key.push(ws.tokens[t * ws.B + b]);
      std::array<uint32_t, 4> bits = {};
      if (threshold > 0)
        bits = random.bits(ws.dropout.first + static_cast<uint64_t>(t * ws.dropout.batch_size + b));
      for (int64_t i = 0; i < tables; ++i) {
        const int64_t row = i < num_orders ? ngram_row(key, orders[i], ws.config.ngram_buckets)
                                           : matches[(i - num_orders) * seq_len + t];
        const bool drops = drop_number(bits, static_cast<uint64_t>(i)) < threshold;
        const int64_t at = (i * ws.shape.seq_len + t) * ws.B + b;
        ws.rows[at] = drops ? -1 : static_cast<int32_t>(row);
      }
    }
  }
}

// Gathers the rows of a block in x, zeros where a position has none.
void CpuBackend::gather(const CpuWeights& weights, const NgramWeights& ngram, const int32_t* rows,
                        const Block& at, const Array& x) const {
  const float* table = weights.at(ngram.table);
  for_each_row(at, [&](int64_t t, int64_t b) {
    const int64_t row = rows[t * x.batch + b];
    if (row >= 0)
      copy_row(table + row * x.width, x.row(t, b), x.width);
    else
      std::fill_n(x.row(t, b), x.width, 0.0f);
  });
}

// Adds the rows of a block to the rows of y.
void CpuBackend::gather_add(const CpuWeights& weights, const NgramWeights& ngram,
                            const int32_t* rows, const Block& at, const Array& y) const {
  constexpr int64_t kAhead = 4;  // how many positions ahead rows are prefetched
  const float* table = weights.at(ngram.table);
  const int64_t width = at.b1 - at.b0, count = (at.t1 - at.t0) * width;
  int64_t ahead = kAhead;  // the number of a position in the block
  for_each_row(at, [&](int64_t t, int64_t b) {
    const int64_t r = t * y.batch + b;
    if (ahead < count) {
      const int64_t row = rows[(at.t0 + ahead / width) * y.batch + at.b0 + ahead % width];
      if (row >= 0) prefetch(table + row * y.width, y.width);
      ++ahead;
    }
    if (rows[r] >= 0) kernels_.add(table + rows[r] * y.width, y.row(t, b), y.width);
  });
}

// Adds the n-gram and match embeddings to e, for a block of the chunk that starts at t0.
void CpuBackend::add_ngrams(const CpuWeights& weights, CpuWorkspace& ws, int64_t t0,
                            const Block& at) const {
  const bool drops = ws.dropout.rate > 0;
  const Array e{ws.u(0, t0), ws.B, ws.E};
  const Array sums{drops ? ws.dn.get() : e.data, ws.B, ws.E};
  const Array x{ws.gathered.get(), ws.B, ngram_width(ws.config)};
  if (drops)
    for_each_row(at, [&](int64_t t, int64_t b) { std::fill_n(sums.row(t, b), ws.E, 0.0f); });
  for (size_t i = 0; i < weights.ngrams.size(); ++i) {
    const NgramWeights& ngram = weights.ngrams[i];
    if (ngram.projection == nullptr) {
      gather_add(weights, ngram, ws.ngram_rows(i, t0), at, sums);
    } else {
      gather(weights, ngram, ws.ngram_rows(i, t0), at, x);
      matmul(at, x, weights.forward(ngram.projection), sums, true);
    }
  }
  if (!drops) return;
  const float scale = drop_scale(ws.dropout.rate);
  for_each_row(at, [&](int64_t t, int64_t b) {
    const float* sum = sums.row(t, b);
    float* to = e.row(t, b);
    for (int64_t j = 0; j < ws.E; ++j) to[j] += sum[j] * scale;
  });
}

}  // namespace slm
