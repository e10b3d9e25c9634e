#pragma once
// The matrix kernels on bf16 that have an instruction for pairs in registers. Sums are formed in
// float32. There is one instruction set for it so far, so these use its intrinsics.

namespace slm {
namespace {

struct Bf16Pairs {
  explicit Bf16Pairs(int64_t x_depth) : depth(x_depth) {}

  static Vec add_product(Vec a, Vec b, Vec sum) {
    return {
        _mm512_dpbf16_ps(sum.v, reinterpret_cast<__m512bh>(a.v), reinterpret_cast<__m512bh>(b.v))};
  }

  ElementRows rows(const float* x, int64_t stride, int count, int64_t k0, int64_t elements) {
    const int64_t left = depth - 2 * k0;
    for (int m = 0; m < count; ++m) {
      const float* row = x + m * stride + 2 * k0;
      float* out = elements_of_x + m * kDepthBlock;
      for (int64_t k = 0; k < elements; k += Vec::kLanes) {
        const int64_t i = 2 * k, j = i + Vec::kLanes;
        round_to_bf16(load_lanes(row + i, left - i), load_lanes(row + j, left - j)).store(out + k);
      }
    }
    return {elements_of_x, kDepthBlock};
  }

  int64_t depth;  // of x, in values
  alignas(64) float elements_of_x[Vec::kMaxRows * kDepthBlock];
};

int64_t packed_size(int64_t depth, int64_t cols) { return packed_elements(pairs<1>(depth), cols); }

constexpr auto pack = pack_pairs<1>;

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  matmul_of(Bf16Pairs(w.depth), grid, x, {w.data, pairs<1>(w.depth), w.cols}, y, accumulate);
}

template <int kRows>
void outer_tile(const float* dy, int64_t dy_stride, const float* x, int64_t depth, float* dw,
                int64_t dw_stride, int64_t cols) {
  Vec acc[kRows][kTileVecs];
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kTileVecs; ++v) acc[m][v] = Vec::zero();
  tile<Bf16Pairs, kRows, kTileVecs>(dy, 1, dy_stride, x, kPanel, 0, depth, acc);
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kTileVecs; ++v) {
      float* out = dw + m * dw_stride + v * Vec::kLanes;
      const int64_t lanes = cols - v * Vec::kLanes;
      store_lanes(load_lanes(out, lanes) + acc[m][v], out, lanes);
    }
}

// In blocks whose pairs stay in L1.
void gemm_tn(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
             float* dw, int64_t dw_stride, int64_t rows, int64_t cols) {
  constexpr int64_t kBlock = 256, kRows = 4 * Vec::kMaxRows;
  alignas(64) float dy_pairs[kBlock / 2 * kRows], x_pairs[kBlock / 2 * kPanel];
  for (int64_t r = 0; r < depth; r += kBlock) {
    const int64_t block = depth - r < kBlock ? depth - r : kBlock, elements = pairs<1>(block);
    for (int64_t i0 = 0; i0 < rows; i0 += kRows) {
      const int64_t height = rows - i0 < kRows ? rows - i0 : kRows;
      pair_rows<kRows>(dy + r * dy_stride + i0, dy_stride, block, height, elements, dy_pairs);
      for (int64_t j = 0; j < cols; j += kPanel) {
        pair_rows<kPanel>(x + r * x_stride + j, x_stride, block, cols - j, elements, x_pairs);
        for_row_tiles(height, [&](auto n, int64_t i) {
          outer_tile<decltype(n)::value>(dy_pairs + i, kRows, x_pairs, elements,
                                         dw + (i0 + i) * dw_stride + j, dw_stride, cols - j);
        });
      }
    }
  }
}

}  // namespace
}  // namespace slm
