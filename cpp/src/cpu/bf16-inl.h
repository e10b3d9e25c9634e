// The matrix kernels on bf16: operands are rounded to it, to the nearest and ties to even, and sums
// are formed in float32. There is one instruction set for it so far, so these use its intrinsics.
//
// An element is a pair of values that follow each other in the sum, the first one in the lower
// half: packed matrices and tiles are those of half the depth. An odd depth is filled up with zero.
#pragma once

namespace slm {
namespace {

inline int64_t pairs(int64_t depth) { return (depth + 1) / 2; }

// The 32 values of `low` and `high`, rounded, in this order.
inline __m512i round_to_bf16(Vec low, Vec high) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high.v, low.v));
}

inline Vec pair_up(Vec first, Vec second) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                      21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                      11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return {_mm512_castsi512_ps(
      _mm512_permutexvar_epi16(_mm512_load_si512(kOrder), round_to_bf16(first, second)))};
}

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
        _mm512_store_si512(
            out + k, round_to_bf16(load_lanes(row + i, left - i), load_lanes(row + j, left - j)));
      }
    }
    return {elements_of_x, kDepthBlock};
  }

  int64_t depth;  // of x, in values
  alignas(64) float elements_of_x[Vec::kMaxRows * kDepthBlock];
};

int64_t packed_size(int64_t depth, int64_t cols) { return packed_elements(pairs(depth), cols); }

void pack(const float* w, int64_t row_stride, int64_t col_stride, int64_t depth, int64_t cols,
          float* out) {
  for (int64_t n0 = 0; n0 < cols; n0 += kPanel)
    for (int64_t k = 0; k < depth; k += 2, out += kPanel) {
      float rows[2][kPanel] = {};
      for (int64_t i = 0; i < 2 && k + i < depth; ++i)
        for (int64_t n = 0; n < kPanel && n0 + n < cols; ++n)
          rows[i][n] = w[(k + i) * row_stride + (n0 + n) * col_stride];
      for (int v = 0; v < kPanel; v += Vec::kLanes)
        pair_up(Vec::load(rows[0] + v), Vec::load(rows[1] + v)).store(out + v);
    }
}

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  matmul_of(Bf16Pairs(w.depth), grid, x, {w.data, pairs(w.depth), w.cols}, y, accumulate);
}

// Pairs of rows of x (depth, cols), in rows of kStride elements; missing columns become zeros.
template <int64_t kStride>
inline void pair_rows(const float* x, int64_t x_stride, int64_t depth, int64_t cols, float* out) {
  for (int64_t r = 0; r < depth; r += 2, x += 2 * x_stride, out += kStride)
    for (int64_t j = 0; j < kStride; j += Vec::kLanes) {
      const Vec first = load_lanes(x + j, cols - j);
      const Vec second = r + 1 < depth ? load_lanes(x + x_stride + j, cols - j) : Vec::zero();
      pair_up(first, second).store(out + j);
    }
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
void outer_sum(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
               float* dw, int64_t dw_stride, int64_t rows, int64_t cols) {
  constexpr int64_t kBlock = 256, kRows = 4 * Vec::kMaxRows;
  alignas(64) float dy_pairs[kBlock / 2 * kRows], x_pairs[kBlock / 2 * kPanel];
  for (int64_t r = 0; r < depth; r += kBlock) {
    const int64_t block = depth - r < kBlock ? depth - r : kBlock;
    for (int64_t i0 = 0; i0 < rows; i0 += kRows) {
      const int64_t height = rows - i0 < kRows ? rows - i0 : kRows;
      pair_rows<kRows>(dy + r * dy_stride + i0, dy_stride, block, height, dy_pairs);
      for (int64_t j = 0; j < cols; j += kPanel) {
        pair_rows<kPanel>(x + r * x_stride + j, x_stride, block, cols - j, x_pairs);
        for_row_tiles(height, [&](auto n, int64_t i) {
          outer_tile<decltype(n)::value>(dy_pairs + i, kRows, x_pairs, pairs(block),
                                         dw + (i0 + i) * dw_stride + j, dw_stride, cols - j);
        });
      }
    }
  }
}

}  // namespace
}  // namespace slm
