// Row-sparse gradients of the n-gram and match tables (gradients.h): sums over the positions at
// which a row occurs, and over shards.
#include <algorithm>
#include <utility>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

constexpr int64_t kAhead = 8;  // how many rows ahead slots are prefetched

// Sorts the positions of a chunk by slot. Positions without a row have no key.
uint64_t make_key(int64_t slot, int64_t position) {
  return static_cast<uint64_t>(slot) << 32 | static_cast<uint64_t>(position);
}
int64_t slot_of(uint64_t key) { return static_cast<int64_t>(key >> 32); }
int64_t position_of(uint64_t key) { return static_cast<int64_t>(key & 0xFFFFFFFF); }

// Gives every row of a chunk its slot, and sorts the chunk's `keys` by slot and position, with a
// counting sort; returns their number. A row gets memory for a sum if it needs one: always, if the
// positions' gradients do not stay in memory until the update (`stays`).
int64_t collect(SparseGradient& sparse, const int32_t* rows, int64_t positions, bool stays,
                uint64_t* keys) {
  int32_t slots[kChunkPositions], touched[kChunkPositions];
  int64_t distinct = 0;
  for (int64_t r = 0; r < positions; ++r) {
    if (r + kAhead < positions && rows[r + kAhead] >= 0)
      prefetch(&sparse.slot_of_row[rows[r + kAhead]]);
    if (rows[r] < 0) continue;
    slots[r] = static_cast<int32_t>(sparse.slot(rows[r]));
    if (sparse.counts[slots[r]]++ == 0) touched[distinct++] = slots[r];
  }
  int32_t count = 0;
  for (int64_t i = 0; i < distinct; ++i) {
    RowGrad& gradient = sparse.slots[touched[i]];
    const int32_t terms = std::exchange(sparse.counts[touched[i]], count);
    if (gradient.own == nullptr && (terms > 1 || gradient.values != nullptr || !stays))
      gradient.own = sparse.take();
    count += terms;
  }
  for (int64_t r = 0; r < positions; ++r) {
    if (rows[r] < 0) continue;
    // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): slots[r] was set above
    keys[sparse.counts[slots[r]]++] = make_key(slots[r], r);
  }
  for (int64_t i = 0; i < distinct; ++i) sparse.counts[touched[i]] = 0;
  return count;
}

// Adds the gradients of the keys [begin, end) of `count`. A slot's sum is formed first and then
// added, by the thread whose range has the slot's first key.
void add_slots(const Kernels& kernels, const uint64_t* keys, int64_t count, int64_t begin,
               int64_t end, const float* dx, int64_t width, RowGrad* gradients) {
  constexpr int64_t kColumns = 256;
  while (begin > 0 && begin < end && slot_of(keys[begin]) == slot_of(keys[begin - 1])) ++begin;
  for (int64_t i = begin, j = i; i < end; i = j) {
    const int64_t slot = slot_of(keys[i]);
    while (j < count && slot_of(keys[j]) == slot) ++j;
    RowGrad& gradient = gradients[slot];
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

// Adds dx (positions, width), the gradient of the positions from time step t0 on, to the rows that
// occur there in `orders` tables from `first` on, which have the same width. `stays`: dx stays in
// memory until the update. Goes in chunks, so that a sum has at most kChunkPositions terms.
void CpuBackend::add_to_rows(CpuGradients& gradients, CpuWorkspace& ws, size_t first, size_t orders,
                             int64_t t0, int64_t positions, const float* dx, int64_t width,
                             bool stays) const {
  for (int64_t r = 0; r < positions; r += kChunkPositions) {
    const int64_t block = std::min(kChunkPositions, positions - r);
    const auto work = static_cast<double>(static_cast<int64_t>(orders) * block * width);
    int64_t counts[kMaxSparseTables];
    parallel_for(static_cast<int64_t>(orders), work, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const size_t order = first + static_cast<size_t>(i);
        counts[i] = collect(gradients.sparse_tables[order], ws.ngram_rows(order, t0) + r, block,
                            stays, ws.keys.get() + i * kChunkPositions);
      }
    });
    parallel_for(static_cast<int64_t>(orders) * block, work, [&](int64_t begin, int64_t end) {
      for (size_t i = 0; i < orders; ++i) {
        const int64_t start = static_cast<int64_t>(i) * block;
        add_slots(kernels_, ws.keys.get() + static_cast<int64_t>(i) * kChunkPositions, counts[i],
                  std::clamp<int64_t>(begin - start, 0, counts[i]),
                  std::clamp<int64_t>(end - start, 0, counts[i]), dx + r * width, width,
                  gradients.sparse_tables[first + i].slots.get());
      }
    });
  }
}

// de (positions, E) is the gradient of the sum of the n-gram and match embeddings. If the tables
// are as wide as the embedding, it is in the memory of next_embeddings() and stays until the
// update.
void CpuBackend::ngrams_backward(const CpuWeights& weights, CpuWorkspace& ws,
                                 CpuGradients& gradients, const float* de, int64_t t0,
                                 int64_t t1) const {
  const int64_t positions = (t1 - t0) * ws.B, width = ngram_width(ws.config);
  const size_t orders = weights.ngrams.size();
  if (weights.ngrams[0].projection == nullptr)
    return add_to_rows(gradients, ws, 0, orders, t0, positions, de, width, true);
  const double flops = 4.0 * static_cast<double>(positions * ws.E * width);
  for (size_t i = 0; i < orders; ++i) {
    const NgramWeights& ngram = weights.ngrams[i];
    float* x = ws.gathered.get();
    gather(weights, ngram, ws.ngram_rows(i, t0), {0, t1 - t0, 0, ws.B}, {x, ws.B, width});
    WeightGrads projection;
    projection.add(ngram.projection, de, x);
    add_weight_gradients(projection, positions, flops, gradients.dense.get());
    parallel_for(positions, flops, [&](int64_t begin, int64_t end) {
      kernels_.matmul({1, end - begin}, {de + begin * ws.E, 0, ws.E},
                      weights.backward(ngram.projection), {x + begin * width, 0, width}, false);
    });
    add_to_rows(gradients, ws, i, 1, t0, positions, x, width, false);
  }
}

// Copies no values but those of rows that both have.
void CpuBackend::merge_rows(SparseGradient& from, SparseGradient& to) const {
  const int64_t width = to.table->cols();
  for (int64_t i = 0; i < from.count; ++i) {
    if (i + kAhead < from.count) {
      prefetch(&to.slot_of_row[from.rows[i + kAhead]]);
      prefetch(&from.slot_of_row[from.rows[i + kAhead]]);
    }
    const int32_t row = from.rows[i];
    const RowGrad& more = from.slots[i];
    RowGrad& sum = to.slots[to.slot(row)];
    from.slot_of_row[row] = -1;
    if (sum.own != nullptr) {
      kernels_.add(more.values, sum.own, width);
      continue;
    }
    const float* term = sum.values;
    sum = more;
    if (term == nullptr) continue;
    if (sum.own == nullptr) {
      sum.own = to.take();
      copy_row(more.values, sum.own, width);
      sum.values = sum.own;
    }
    kernels_.add(term, sum.own, width);
  }
}

}  // namespace slm
