// The matrix kernels: one register tile, used for both products. Included per instruction set.
//
// Packed layout: the columns are cut into panels of kTileVecs vectors, the last one padded with
// zeros; a panel holds its `depth` rows one after the other, so that the tile reads it in a
// straight line.
#pragma once

namespace slm {
namespace {

constexpr int kTileVecs = Vec::kTileVecs;
constexpr int64_t kPanel = kTileVecs * Vec::kLanes;
// Depth of a panel slice that stays in L1 (32 lanes x 128 x 4 bytes = 16 KiB) while rows go by.
constexpr int64_t kDepthBlock = 128;
// A single row has too few sums in flight to hide the latency of an addition; it takes this many
// panels at once, and so do as many rows as then still fit into the registers.
constexpr int kWidePanels = 4;
constexpr int kWideRows = Vec::kMaxRows / kWidePanels;

// acc[m][v] += sum_k a[m * a_row + k * a_depth] * b_v[k * b_depth], k rising. b_v is vector v of
// the tile's columns: kTileVecs vectors side by side, then those of the next panel, b_panel
// further.
template <int kRows, int kVecs>
inline __attribute__((always_inline)) void tile(const float* a, int64_t a_row, int64_t a_depth,
                                                const float* b, int64_t b_depth, int64_t b_panel,
                                                int64_t depth, Vec (&acc)[kRows][kVecs]) {
  for (int64_t k = 0; k < depth; ++k) {
    Vec bk[kVecs];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v)
      bk[v] = Vec::load(b + v / kTileVecs * b_panel + k * b_depth + v % kTileVecs * Vec::kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) {
      const Vec am = Vec::all(a[m * a_row + k * a_depth]);
#pragma GCC unroll 16
      for (int v = 0; v < kVecs; ++v) acc[m][v] = fmadd(am, bk[v], acc[m][v]);
    }
  }
}

// Calls f with an integral constant in [1, kMax] equal to n.
template <int kMax, class F>
inline void with_rows(int64_t n, const F& f) {
  if constexpr (kMax > 1) {
    if (n < kMax) return with_rows<kMax - 1>(n, f);
  }
  f(std::integral_constant<int, kMax>{});
}

int64_t packed_size(int64_t depth, int64_t cols) {
  return (cols + kPanel - 1) / kPanel * kPanel * depth;
}

void pack(const float* w, int64_t row_stride, int64_t col_stride, int64_t depth, int64_t cols,
          float* out) {
  for (int64_t n0 = 0; n0 < cols; n0 += kPanel) {
    const int64_t width = cols - n0 < kPanel ? cols - n0 : kPanel;
    for (int64_t k = 0; k < depth; ++k, out += kPanel)
      for (int64_t n = 0; n < kPanel; ++n)
        out[n] = n < width ? w[k * row_stride + (n0 + n) * col_stride] : 0.0f;
  }
}

// A slice of kPanels panels against kRows rows; `cols` of the panels' columns exist.
template <int kRows, int kPanels>
void matmul_tile(const float* x, int64_t x_stride, const float* panel, int64_t panel_stride,
                 int64_t depth, float* y, int64_t y_stride, int64_t cols, bool accumulate) {
  constexpr int kVecs = kPanels * kTileVecs;
  Vec acc[kRows][kVecs];
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v)
      acc[m][v] = accumulate
                      ? load_lanes(y + m * y_stride + v * Vec::kLanes, cols - v * Vec::kLanes)
                      : Vec::zero();
  }
  tile<kRows, kVecs>(x, x_stride, 1, panel, kPanel, panel_stride, depth, acc);
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; ++v)
      store_lanes(acc[m][v], y + m * y_stride + v * Vec::kLanes, cols - v * Vec::kLanes);
  }
}

// Rows in nearly equal tiles: 16 rows are two tiles of 8 rather than 12 and 4.
template <class F>
inline void for_row_tiles(int64_t rows, const F& f) {
  const int64_t tiles = (rows + Vec::kMaxRows - 1) / Vec::kMaxRows;
  int64_t begin = 0;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t end = rows * (i + 1) / tiles;
    with_rows<Vec::kMaxRows>(end - begin, [&](auto n) { f(n, begin); });
    begin = end;
  }
}

// All rows of a grid against the columns [n0, n0 + kPanels * kPanel), in slices of depth.
template <int kPanels>
void matmul_panels(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, int64_t n0, bool accumulate) {
  const float* panel = w.data + n0 * w.depth;
  const int64_t panel_stride = w.depth * kPanel;
  for (int64_t k0 = 0; k0 < w.depth; k0 += kDepthBlock) {
    const int64_t depth = w.depth - k0 < kDepthBlock ? w.depth - k0 : kDepthBlock;
    const auto do_tile = [&](auto rows, int64_t i, int64_t j) {
      matmul_tile<decltype(rows)::value, kPanels>(x.data + i * x.outer + j * x.inner + k0, x.inner,
                                                  panel + k0 * kPanel, panel_stride, depth,
                                                  y.data + i * y.outer + j * y.inner + n0, y.inner,
                                                  w.cols - n0, accumulate || k0 > 0);
    };
    for (int64_t i = 0; i < grid.outer; ++i) {
      if constexpr (kPanels > 1)
        with_rows<kWideRows>(grid.inner, [&](auto rows) { do_tile(rows, i, 0); });
      else
        for_row_tiles(grid.inner, [&](auto rows, int64_t j) { do_tile(rows, i, j); });
    }
  }
}

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  // Tiles run along the inner rows; make that the longer way.
  if (grid.inner < grid.outer && grid.inner < Vec::kMaxRows) {
    grid = {grid.inner, grid.outer};
    x = {x.data, x.inner, x.outer};
    y = {y.data, y.inner, y.outer};
  }
  int64_t n0 = 0;
  if (grid.inner <= kWideRows)
    for (; n0 + (kWidePanels - 1) * kPanel < w.cols; n0 += kWidePanels * kPanel)
      matmul_panels<kWidePanels>(grid, x, w, y, n0, accumulate);
  for (; n0 < w.cols; n0 += kPanel) matmul_panels<1>(grid, x, w, y, n0, accumulate);
}

template <int kRows, int kVecs>
void outer_tile(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
                float* dw, int64_t dw_stride) {
  Vec acc[kRows][kVecs];
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kVecs; ++v) acc[m][v] = Vec::zero();
  tile<kRows, kVecs>(dy, 1, dy_stride, x, x_stride, 0, depth, acc);
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      float* out = dw + m * dw_stride + v * Vec::kLanes;
      (Vec::load(out) + acc[m][v]).store(out);
    }
  }
}

// Columns that do not fill a vector: the same sums, one column at a time.
inline void outer_tail(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride,
                       int64_t depth, float* dw, int64_t dw_stride, int64_t rows, int64_t cols) {
  for (int64_t i = 0; i < rows; ++i) {
    Vec acc = Vec::zero();
    for (int64_t r = 0; r < depth; ++r)
      acc = fmadd(Vec::all(dy[r * dy_stride + i]), Vec::load_partial(x + r * x_stride, cols), acc);
    float* out = dw + i * dw_stride;
    (Vec::load_partial(out, cols) + acc).store_partial(out, cols);
  }
}

void outer_sum(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
               float* dw, int64_t dw_stride, int64_t rows, int64_t cols) {
  const auto do_columns = [&](auto vecs, int64_t j) {
    for_row_tiles(rows, [&](auto n, int64_t i) {
      outer_tile<decltype(n)::value, decltype(vecs)::value>(
          dy + i, dy_stride, x + j, x_stride, depth, dw + i * dw_stride + j, dw_stride);
    });
  };
  int64_t j = 0;
  for (; j + kPanel <= cols; j += kPanel) do_columns(std::integral_constant<int, kTileVecs>{}, j);
  for (; j + Vec::kLanes <= cols; j += Vec::kLanes) do_columns(std::integral_constant<int, 1>{}, j);
  if (j < cols)
    outer_tail(dy, dy_stride, x + j, x_stride, depth, dw + j, dw_stride, rows, cols - j);
}

}  // namespace
}  // namespace slm
