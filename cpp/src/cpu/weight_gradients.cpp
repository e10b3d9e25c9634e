#include "cpu/weight_gradients.h"

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// Threads share weight gradients in tiles of this many rows and columns.
constexpr int64_t kTileRows = 64, kTileCols = 64;

int64_t tiles_of(int64_t extent, int64_t tile) { return (extent + tile - 1) / tile; }

// A tile of one weight's gradient, from `positions` positions that start at `first`.
void add_tile(const Kernels& kernels, const WeightGrad& w, int64_t index, int64_t first,
              int64_t positions, float* grads) {
  const int64_t rows = w.tensor->rows(), cols = w.tensor->cols();
  const int64_t i = index / w.col_tiles() * kTileRows, j = index % w.col_tiles() * kTileCols;
  const float* dy = w.dy + first * rows + i;
  float* out = grads + w.tensor->offset + i * cols + j;
  const int64_t height = std::min(kTileRows, rows - i);
  if (w.x == nullptr)
    kernels.bias_grad(dy, rows, positions, out, height);
  else
    kernels.gemm_tn(dy, rows, w.x + first * cols + j, cols, positions, out, cols, height,
                    std::min(kTileCols, cols - j));
}

}  // namespace

int64_t WeightGrad::col_tiles() const { return tiles_of(tensor->cols(), kTileCols); }
int64_t WeightGrad::tiles() const { return tiles_of(tensor->rows(), kTileRows) * col_tiles(); }

// Sums of at most kChunkPositions terms are formed first and then added, which keeps the rounding
// of a sum over a million positions small.
void CpuBackend::add_weight_gradients(const WeightGrads& weights, int64_t positions, double flops,
                                      float* grads) const {
  int64_t tiles = 0;
  for (const WeightGrad& weight : weights) tiles += weight.tiles();
  parallel_for(tiles, flops, [&](int64_t begin, int64_t end) {
    for (int64_t r = 0; r < positions; r += kChunkPositions)
      for (int64_t i = begin; i < end; ++i) {
        const WeightGrad* weight = weights.begin();
        int64_t index = i;
        while (index >= weight->tiles()) index -= (weight++)->tiles();
        add_tile(kernels_, *weight, index, r, std::min(kChunkPositions, positions - r), grads);
      }
  });
}

}  // namespace slm
