#pragma once
// The matrix kernels on bf16 for the tile registers of AMX.

namespace slm {
namespace {

int64_t packed_size(int64_t depth, int64_t cols) {
  return packed_elements(pairs<kTilePairs>(depth), cols);
}

constexpr auto pack = pack_pairs<kTilePairs>;

// A row of `depth` values as row `m` of a row of tiles; a null row is of zeros.
inline void row_of_tiles(const float* x, int64_t depth, int64_t m, float* tiles) {
  for (int64_t k = 0; k < depth; k += 2 * kTilePairs) {
    const int64_t left = depth - k;
    const Vec pair =
        x == nullptr ? Vec::zero()
                     : round_to_bf16(load_lanes(x + k, left), load_lanes(x + k + 16, left - 16));
    pair.store(tiles + k / 2 * kTileRows + m * kTilePairs);
  }
}

// Up to kBlockRows rows of a grid, from row `first` on.
struct BlockOfRows {
  BlockOfRows(RowGrid grid, ConstRows x, Rows y, int64_t first)
      : count(std::min(kBlockRows, grid.outer * grid.inner - first)), even(count == kBlockRows) {
    for (int64_t m = 0; m < count; ++m) {
      const int64_t i = (first + m) / grid.inner, j = (first + m) % grid.inner;
      from[m] = x.data + i * x.outer + j * x.inner;
      to[m] = y.data + i * y.outer + j * y.inner;
      even = even && (m == 0 || to[m] - to[m - 1] == to[1] - to[0]);
    }
  }

  int64_t count;
  bool even;  // the block is full, and the rows of its result are equally spaced
  const float* from[kBlockRows];
  float* to[kBlockRows];
};

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  const TileRegisters registers;
  alignas(64) float a[2 * kBlockTiles * kTile];
  constexpr int64_t kLower = kBlockTiles * kTile;
  const int64_t elements = pairs<kTilePairs>(w.depth);
  for (int64_t first = 0; first < grid.outer * grid.inner; first += kBlockRows) {
    const BlockOfRows rows(grid, x, y, first);
    for (int64_t k0 = 0; k0 < w.depth; k0 += kBlockDepth) {
      const int64_t depth = std::min(kBlockDepth, w.depth - k0);
      const int64_t tiles = pairs<kTilePairs>(depth) / kTilePairs;
      for (int64_t m = 0; m < (rows.count > kTileRows ? kBlockRows : kTileRows); ++m)
        row_of_tiles(m < rows.count ? rows.from[m] + k0 : nullptr, depth, m % kTileRows,
                     a + m / kTileRows * kLower);
      for (int64_t n = 0; n < w.cols; n += kPanel) {
        const float* panel = w.data + n * elements + k0 / 2 * kPanel;
        multiply_block(
            rows.count, rows.even, [&](int64_t m) { return rows.to[m] + n; }, a, kLower, panel,
            tiles, w.cols - n, accumulate || k0 > 0);
      }
    }
  }
}

// 16 rows of 16 elements, the other way round: in four steps, each of which exchanges halves.
inline void transpose(Vec (&rows)[16]) {
  __m512i a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) a[i] = _mm512_castps_si512(rows[i].v);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      a[i + 2 * j] = _mm512_unpacklo_epi64(b[i + j], b[i + j + 2]);
      a[i + 2 * j + 1] = _mm512_unpackhi_epi64(b[i + j], b[i + j + 2]);
    }
  // Quarter q of a[4 g + c] is now column 4 q + c of the rows 4 g to 4 g + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i even = _mm512_shuffle_i32x4(a[c], a[4 + c], 0x88);
    const __m512i odd = _mm512_shuffle_i32x4(a[c], a[4 + c], 0xDD);
    const __m512i even_below = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0x88);
    const __m512i odd_below = _mm512_shuffle_i32x4(a[8 + c], a[12 + c], 0xDD);
    rows[c].v = _mm512_castsi512_ps(_mm512_shuffle_i32x4(even, even_below, 0x88));
    rows[4 + c].v = _mm512_castsi512_ps(_mm512_shuffle_i32x4(odd, odd_below, 0x88));
    rows[8 + c].v = _mm512_castsi512_ps(_mm512_shuffle_i32x4(even, even_below, 0xDD));
    rows[12 + c].v = _mm512_castsi512_ps(_mm512_shuffle_i32x4(odd, odd_below, 0xDD));
  }
}

// The tile of x's transpose: up to 32 rows of up to 16 columns.
inline void transposed_tile(const float* x, int64_t stride, int64_t depth, int64_t cols,
                            float* out) {
  Vec rows[16];
  if (depth >= 32 && cols >= 16) {
#pragma GCC unroll 16
    for (int k = 0; k < 16; ++k)
      rows[k] = pair_up(Vec::load(x + 2 * k * stride), Vec::load(x + (2 * k + 1) * stride));
  } else {
    for (int k = 0; k < 16; ++k) rows[k] = pair_of_rows(x, stride, 2 * k, depth, cols);
  }
  transpose(rows);
#pragma GCC unroll 16
  for (int k = 0; k < 16; ++k) rows[k].store(out + k * kTilePairs);
}

// In blocks of rows whose tiles and a panel stay in L2. A tile sums 32 terms, and these sums are
// added to dw one by one, which rounds far less than bf16 does.
void gemm_tn(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
             float* dw, int64_t dw_stride, int64_t rows, int64_t cols) {
  const TileRegisters registers;
  constexpr int64_t kLower = kBlockTiles * kTile, kRows = 2 * kBlockRows;
  alignas(64) float a[kRows / kTileRows * kLower], panel[kBlockDepth / 2 * kPanel];
  for (int64_t r = 0; r < depth; r += kBlockDepth) {
    const int64_t block = std::min(kBlockDepth, depth - r);
    const int64_t elements = pairs<kTilePairs>(block), tiles = elements / kTilePairs;
    for (int64_t i0 = 0; i0 < rows; i0 += kRows) {
      const int64_t height = std::min(kRows, rows - i0);
      for (int64_t k = 0; k < tiles; ++k)
        for (int64_t i = 0; i < height; i += kTileRows)
          transposed_tile(dy + (r + 2 * k * kTilePairs) * dy_stride + i0 + i, dy_stride,
                          block - 2 * k * kTilePairs, height - i,
                          a + i / kTileRows * kLower + k * kTile);
      for (int64_t j = 0; j < cols; j += kPanel) {
        pair_rows<kPanel>(x + r * x_stride + j, x_stride, block, cols - j, elements, panel);
        for (int64_t i = 0; i < height; i += kBlockRows) {
          const int64_t count = std::min(kBlockRows, height - i);
          const float* tiles_of_rows = a + i / kTileRows * kLower;
          float* out = dw + (i0 + i) * dw_stride + j;
          multiply_block(
              count, count == kBlockRows, [=](int64_t m) { return out + m * dw_stride; },
              tiles_of_rows, kLower, panel, tiles, cols - j, true);
        }
      }
    }
  }
}

}  // namespace
}  // namespace slm
