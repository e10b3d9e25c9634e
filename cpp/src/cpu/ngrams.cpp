// The vectors of hashed n-grams and of matches: Σ_n P_n G_n[row_n] is added to a position's
// embedding. Of the tables only the rows that occur are ever touched.
#include <algorithm>
#include <utility>

#include "cpu/cpu_backend.h"
#include "cpu/layer_part.h"
#include "util/dropout.h"
#include "util/ngram.h"
#include "util/philox.h"

namespace slm {

// The rows of all positions of a window, incrementally along each text. What a training step drops
// has none, as what comes before the start of a text.
void CpuBackend::find_ngrams(CpuWorkspace& ws, int64_t seq_len) const {
  const std::vector<int64_t>& orders = ws.config.ngram_orders;
  const auto num_orders = static_cast<int64_t>(orders.size());
  const int64_t tables = num_lookups(ws.config);
  const Philox random(ws.dropout.seed, PhiloxStream::dropout);
  const uint32_t threshold = drop_threshold(ws.dropout.rate);
  for (int64_t b = 0; b < ws.B; ++b) {
    const int64_t K = ws.history != nullptr ? ws.K : 0;
    const float* history = ws.history + b * K;
    const int32_t* matches = ws.config.match_lengths.empty()
                                 ? nullptr
                                 : ws.matches.find(history, K, ws.tokens + b, ws.B, seq_len);
    NgramKey key;
    for (int64_t k = std::max<int64_t>(0, K - kMaxNgramOrder); k < K; ++k)
      if (history[k] > 0) key.push(static_cast<uint8_t>(history[k] - 1));
    for (int64_t t = 0; t < seq_len; ++t) {
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

// The rows of a block, zero where a position has none.
void CpuBackend::gather(const CpuWeights& weights, const NgramWeights& ngram, const int32_t* rows,
                        const Block& at, const Array& x) const {
  const float* table = weights.at(*ngram.table);
  each_row(at, [&](int64_t t, int64_t b) {
    const int64_t row = rows[t * x.batch + b];
    if (row >= 0)
      copy_row(table + row * x.width, x.row(t, b), x.width);
    else
      std::fill_n(x.row(t, b), x.width, 0.0f);
  });
}

// The same, added to the rows of y.
void CpuBackend::gather_add(const CpuWeights& weights, const NgramWeights& ngram,
                            const int32_t* rows, const Block& at, const Array& y) const {
  constexpr int64_t kAhead = 4;  // positions whose rows are already on the way from memory
  const float* table = weights.at(*ngram.table);
  const int64_t width = at.b1 - at.b0, count = (at.t1 - at.t0) * width;
  int64_t ahead = kAhead;  // the number of a position in the block
  each_row(at, [&](int64_t t, int64_t b) {
    const int64_t r = t * y.batch + b;
    if (ahead < count) {
      const int64_t row = rows[(at.t0 + ahead / width) * y.batch + at.b0 + ahead % width];
      if (row >= 0) prefetch(table + row * y.width, y.width);
      ++ahead;
    }
    if (rows[r] >= 0) kernels_.add(table + rows[r] * y.width, y.row(t, b), y.width);
  });
}

// Adds the looked-up vectors to e of a block of the chunk that starts at t0.
void CpuBackend::add_ngrams(const CpuWeights& weights, CpuWorkspace& ws, int64_t t0,
                            const Block& at) const {
  const bool drops = ws.dropout.rate > 0;
  const Array e{ws.u(0, t0), ws.B, ws.E};
  const Array sums{drops ? ws.dn.get() : e.data, ws.B, ws.E};
  const Array x{ws.gathered.get(), ws.B, ngram_width(ws.config)};
  if (drops) each_row(at, [&](int64_t t, int64_t b) { std::fill_n(sums.row(t, b), ws.E, 0.0f); });
  for (size_t i = 0; i < weights.ngrams.size(); ++i) {
    const NgramWeights& ngram = weights.ngrams[i];
    if (ngram.projection.tensor == nullptr) {
      gather_add(weights, ngram, ws.ngram_rows(i, t0), at, sums);
    } else {
      gather(weights, ngram, ws.ngram_rows(i, t0), at, x);
      kernels_.matmul(at.grid(ws.B), x.rows(at), ngram.projection.forward(), sums.rows(at), true);
    }
  }
  if (!drops) return;
  const float scale = drop_scale(ws.dropout.rate);
  each_row(at, [&](int64_t t, int64_t b) {
    const float* sum = sums.row(t, b);
    float* to = e.row(t, b);
    for (int64_t j = 0; j < ws.E; ++j) to[j] += sum[j] * scale;
  });
}

namespace {

// Of a position of a block. What comes before the start of a text has none.
uint64_t make_key(int64_t slot, int64_t position) {
  return static_cast<uint64_t>(slot) << 32 | static_cast<uint64_t>(position);
}
int64_t slot_of(uint64_t key) { return static_cast<int64_t>(key >> 32); }
int64_t position_of(uint64_t key) { return static_cast<int64_t>(key & 0xFFFFFFFF); }

// Gives every row of a block its slot, and returns the number of `keys`: those of a slot follow
// each other, by position. Slots are counted, and keys put where those before them end. Rows get
// memory of their own for a sum, or all where no position's gradient `stays`.
int64_t collect(TableGradients& lookup, const int32_t* rows, int64_t positions, bool stays,
                uint64_t* keys) {
  constexpr int64_t kAhead = 8;  // positions whose rows' slots are already on the way from memory
  int32_t slots[kChunkPositions], met[kChunkPositions];
  int64_t distinct = 0;
  for (int64_t r = 0; r < positions; ++r) {
    if (r + kAhead < positions && rows[r + kAhead] >= 0)
      prefetch(&lookup.slot_of_row[static_cast<size_t>(rows[r + kAhead])]);
    if (rows[r] < 0) continue;
    slots[r] = static_cast<int32_t>(lookup.slot(rows[r]));
    if (lookup.places[static_cast<size_t>(slots[r])]++ == 0) met[distinct++] = slots[r];
  }
  int32_t count = 0;
  for (int64_t i = 0; i < distinct; ++i) {
    RowGradient& gradient = lookup.slots[static_cast<size_t>(met[i])];
    const int32_t terms = std::exchange(lookup.places[static_cast<size_t>(met[i])], count);
    if (gradient.own == nullptr && (terms > 1 || gradient.values != nullptr || !stays))
      gradient.own = lookup.take();
    count += terms;
  }
  for (int64_t r = 0; r < positions; ++r)
    if (rows[r] >= 0) keys[lookup.places[static_cast<size_t>(slots[r])]++] = make_key(slots[r], r);
  for (int64_t i = 0; i < distinct; ++i) lookup.places[static_cast<size_t>(met[i])] = 0;
  return count;
}

// Adds to the gradients the sums of the keys [begin, end) of `count`; a slot's sum is formed first
// and then added. A slot belongs to whoever has its first key.
void add_slots(const Kernels& kernels, const uint64_t* keys, int64_t count, int64_t begin,
               int64_t end, const float* dx, int64_t width, RowGradient* gradients) {
  constexpr int64_t kColumns = 256;
  while (begin > 0 && begin < end && slot_of(keys[begin]) == slot_of(keys[begin - 1])) ++begin;
  for (int64_t i = begin, j = i; i < end; i = j) {
    const int64_t slot = slot_of(keys[i]);
    while (j < count && slot_of(keys[j]) == slot) ++j;
    RowGradient& gradient = gradients[slot];
    if (gradient.own == nullptr) {
      gradient.values = dx + position_of(keys[i]) * width;
      continue;
    }
    for (int64_t c = 0; c < width; c += kColumns) {
      const int64_t n = std::min(kColumns, width - c);
      float sum[kColumns];
      copy_row(dx + position_of(keys[i]) * width + c, sum, n);
      for (int64_t k = i + 1; k < j; ++k)
        kernels.add(dx + position_of(keys[k]) * width + c, sum, n);
      if (gradient.values != nullptr) kernels.add(gradient.values + c, sum, n);
      copy_row(sum, gradient.own + c, n);
    }
    gradient.values = gradient.own;
  }
}

}  // namespace

// Of `orders` tables from `first` on, all of one width: adds dx (positions, width), of the chunk
// that starts at t0, to the rows that occurred; it `stays` where it is until the step is over, or
// not. In blocks, so that sums stay sums of few terms.
void CpuBackend::add_to_rows(CpuGradients& gradients, CpuWorkspace& ws, size_t first, size_t orders,
                             int64_t t0, int64_t positions, const float* dx, int64_t width,
                             bool stays) const {
  for (int64_t r = 0; r < positions; r += kChunkPositions) {
    const int64_t block = std::min(kChunkPositions, positions - r);
    const auto work = static_cast<double>(static_cast<int64_t>(orders) * block * width);
    int64_t counts[kMaxLookups];
    split(static_cast<int64_t>(orders), work, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const size_t order = first + static_cast<size_t>(i);
        counts[i] = collect(gradients.lookups[order], ws.ngram_rows(order, t0) + r, block, stays,
                            ws.keys.data() + i * kChunkPositions);
      }
    });
    split(static_cast<int64_t>(orders) * block, work, [&](int64_t begin, int64_t end) {
      for (size_t i = 0; i < orders; ++i) {
        const int64_t start = static_cast<int64_t>(i) * block;
        add_slots(kernels_, ws.keys.data() + static_cast<int64_t>(i) * kChunkPositions, counts[i],
                  std::clamp<int64_t>(begin - start, 0, counts[i]),
                  std::clamp<int64_t>(end - start, 0, counts[i]), dx + r * width, width,
                  gradients.lookups[first + i].slots.data());
      }
    });
  }
}

// de (positions, E) is the gradient of the sum of the looked-up vectors. Where tables are as wide,
// it is what next_embeddings() returned, and stays.
void CpuBackend::ngrams_backward(const CpuWeights& weights, CpuWorkspace& ws,
                                 CpuGradients& gradients, const float* de, int64_t t0,
                                 int64_t t1) const {
  const int64_t positions = (t1 - t0) * ws.B, width = ngram_width(ws.config);
  const size_t orders = weights.ngrams.size();
  if (weights.ngrams[0].projection.tensor == nullptr)
    return add_to_rows(gradients, ws, 0, orders, t0, positions, de, width, true);
  const double flops = 4.0 * static_cast<double>(positions * ws.E * width);
  for (size_t i = 0; i < orders; ++i) {
    const NgramWeights& ngram = weights.ngrams[i];
    float* x = ws.gathered.get();
    gather(weights, ngram, ws.ngram_rows(i, t0), {0, t1 - t0, 0, ws.B}, {x, ws.B, width});
    WeightGrads projection;
    projection.add(ngram.projection.tensor, de, x);
    add_weight_gradients(projection, positions, flops, gradients.dense.get());
    split(positions, flops, [&](int64_t begin, int64_t end) {
      kernels_.matmul({1, end - begin}, {de + begin * ws.E, 0, ws.E}, ngram.projection.backward(),
                      {x + begin * width, 0, width}, false);
    });
    add_to_rows(gradients, ws, i, 1, t0, positions, x, width, false);
  }
}

}  // namespace slm
