// The embedding of each byte, and the n-gram and match embeddings that are added to it
// (ngrams.cpp): a gather forward, a scatter backward (docs/model.md).
//
//   x             (T, B)     bytes
//   e             (T, B, E)  the input u of the first layer
//   W_E (V, E)
//
//   e_t = W_E[x_t] (+ Σ_n P_n G_n[row_n])
#include <cstring>

#include "cpu/cpu_backend.h"
#include "numerics/dropout.h"
#include "numerics/philox.h"

namespace slm {
namespace {

// total[v] += sum of dy[r] over the r with tokens[r] = v. Rows are `width` of `stride` columns, and
// `sums` has room for a row per byte.
void add_rows(const Kernels& kernels, const uint8_t* tokens, int64_t positions, int64_t stride,
              const float* dy, int64_t width, float* sums, float* total) {
  bool occurred[kVocabSize] = {};
  for (int64_t r = 0; r < positions; ++r) {
    float* sum = sums + tokens[r] * stride;
    if (occurred[tokens[r]])
      kernels.add(dy + r * stride, sum, width);
    else
      copy_row(dy + r * stride, sum, width);
    occurred[tokens[r]] = true;
  }
  for (int64_t v = 0; v < kVocabSize; ++v)
    if (occurred[v]) kernels.add(sums + v * stride, total + v * stride, width);
}

}  // namespace

// Dropout of one position of the window: y = x, scaled so that the expectation stays, or 0. A
// Philox block decides for eight values. N-gram and match embeddings are dropped as whole vectors,
// which find_ngrams has done, so all values are scaled.
void CpuBackend::drop(const CpuWorkspace& ws, int64_t t, int64_t b, const float* x,
                      float* y) const {
  constexpr int64_t kBlock = 64;
  const uint32_t threshold = drop_threshold(ws.dropout.rate);
  const float scale = drop_scale(ws.dropout.rate);
  if (num_sparse_tables(ws.config) > 0) {
    for (int64_t i = 0; i < ws.E; ++i) y[i] = x[i] * scale;
    return;
  }
  const Philox random(ws.dropout.seed, PhiloxStream::dropout);
  const auto per_position = static_cast<uint64_t>((ws.E + 7) / 8);
  const auto position = static_cast<uint64_t>(t * ws.dropout.batch_size + b);
  uint64_t counter = (ws.dropout.first + position) * per_position;
  for (int64_t i = 0; i < ws.E; i += kBlock) {
    const int64_t count = std::min(kBlock, ws.E - i);
    uint16_t bits[kBlock];
    for (int64_t j = 0; j < count; j += 8) {
      const auto block = random.bits(counter++);
      for (int64_t k = 0; k < 4; ++k) {
        bits[j + 2 * k] = static_cast<uint16_t>(block[k]);
        bits[j + 2 * k + 1] = static_cast<uint16_t>(block[k] >> 16);
      }
    }
    kernels_.drop(bits, threshold, scale, x + i, y + i, count);
  }
}

void CpuBackend::make_masks(CpuWorkspace& ws) const {
  const Philox random(ws.dropout.seed, PhiloxStream::layers);
  const uint32_t threshold = drop_threshold(ws.dropout.locked_rate);
  const float scale = drop_scale(ws.dropout.locked_rate);
  const int64_t size = ws.L * ws.E;
  for (int64_t b = 0; b < ws.B; ++b) {
    std::array<uint32_t, 4> bits = {};
    for (int64_t i = 0; i < size; ++i) {
      if (i % 8 == 0)
        bits = random.bits(mask_block(ws.dropout.row + static_cast<uint64_t>(b), size, i));
      const int64_t level = i / ws.E, e = i % ws.E;
      const bool drops = drop_number(bits, static_cast<uint64_t>(i % 8)) < threshold;
      ws.masks.get()[(level * ws.B + b) * ws.E + e] = drops ? 0.0f : scale;
    }
  }
}

void CpuBackend::embed_forward(const Weights& any_weights, Workspace& any_workspace, int64_t t0,
                               int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  const float* table = weights.at(weights.embedding);  // (V, E)
  const bool drops = ws.dropout.rate > 0;
  const int64_t B = ws.B, steps = t1 - t0;
  const auto orders = static_cast<int64_t>(weights.ngrams.size());
  const Array e{ws.u(0, t0), B, ws.E};
  const auto cost = static_cast<double>(steps * B * ws.E * (1 + 4 * orders));
  parallel_for_positions(steps, B, cost, [&](const Block& at) {
    for_each_row(at, [&](int64_t t, int64_t b) {
      const float* row = table + ws.tokens[(t0 + t) * B + b] * ws.E;
      if (drops && orders == 0)
        drop(ws, t0 + t, b, row, e.row(t, b));
      else
        copy_row(row, e.row(t, b), ws.E);
    });
    if (orders > 0) add_ngrams(weights, ws, t0, at);
  });
  ws.computed = t1;
}

// As for the other weights, sums of at most kChunkPositions terms are formed first and then added.
void CpuBackend::embed_backward(const Weights& any_weights, Workspace& any_workspace,
                                Gradients& any_gradients, int64_t t0, int64_t t1) const {
  const auto& weights = static_cast<const CpuWeights&>(any_weights);
  auto& ws = static_cast<CpuWorkspace&>(any_workspace);
  auto& gradients = static_cast<CpuGradients&>(any_gradients);
  const int64_t positions = (t1 - t0) * ws.B, first = t0 * ws.B;
  const uint8_t* tokens = ws.tokens + first;
  const bool drops = ws.dropout.rate > 0;
  const bool stays = !weights.ngrams.empty() && ngram_width(ws.config) == ws.E;
  const float *de = ws.dy.get(), *dropped = de;
  if (drops || stays) {
    const Array from{ws.dy.get(), ws.B, ws.E};
    const Array to{stays ? gradients.next_embeddings(positions) : ws.dn.get(), ws.B, ws.E};
    parallel_for_positions(t1 - t0, ws.B, static_cast<double>(4 * positions * ws.E),
                           [&](const Block& at) {
                             for_each_row(at, [&](int64_t t, int64_t b) {
                               if (drops)
                                 drop(ws, t0 + t, b, from.row(t, b), to.row(t, b));
                               else
                                 copy_row(from.row(t, b), to.row(t, b), ws.E);
                             });
                           });
    dropped = to.data;
    if (weights.ngrams.empty()) de = dropped;
  }
  float* total = gradients.dense.get() + weights.embedding->offset;  // (V, E)
  // Threads share the columns, so that each sum over positions keeps its order.
  parallel_for(ws.E, static_cast<double>(positions * ws.E), [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < positions; r += kChunkPositions)
      add_rows(kernels_, tokens + r, std::min(kChunkPositions, positions - r), ws.E,
               de + r * ws.E + begin, end - begin, ws.table.get() + begin, total + begin);
  });
  if (!weights.ngrams.empty()) ngrams_backward(weights, ws, gradients, dropped, t0, t1);
}

}  // namespace slm
