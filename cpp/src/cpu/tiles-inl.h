// The register tile that all matrix products share, and the loop over the panels of a matrix.
// Included per instruction set.
//
// Packed layout: the columns are cut into panels of kTileVecs vectors, the last one padded with
// zeros; a panel holds its `depth` rows one after the other, so that the tile reads it in a
// straight line.
//
// An element is four bytes: a float (Floats in matmul-inl.h) or a pair of bf16 (bf16-inl.h).
// `Terms` defines how elements are multiplied and where those of x are.
#pragma once

namespace slm {
namespace {

constexpr int kTileVecs = Vec::kTileVecs;
constexpr int64_t kPanel = kTileVecs * Vec::kLanes;
// Depth of a panel slice that stays in L1 (32 lanes x 128 x 4 bytes = 16 KiB) while all rows are
// multiplied by it.
constexpr int64_t kDepthBlock = 128;
// A single row has too few sums in flight to hide the latency of an addition; it takes this many
// panels at once, and so do as many rows as then still fit into the registers.
constexpr int kWidePanels = 4;
constexpr int kWideRows = Vec::kMaxRows / kWidePanels;

// Row m's element k is data[m * stride + k].
struct ElementRows {
  const float* data;
  int64_t stride;
};

// acc[m][v] += sum_k a[m * a_row + k * a_depth] * b_v[k * b_depth], k rising. b_v is vector v of
// the tile's columns: kTileVecs vectors side by side, then those of the next panel, b_panel
// further.
template <class Terms, int kRows, int kVecs>
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
      for (int v = 0; v < kVecs; ++v) acc[m][v] = Terms::add_product(am, bk[v], acc[m][v]);
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

// Floats of a packed matrix whose columns have `depth` elements.
inline int64_t packed_elements(int64_t depth, int64_t cols) {
  return (cols + kPanel - 1) / kPanel * kPanel * depth;
}

// A slice of kPanels panels against kRows rows; `cols` of the panels' columns exist.
template <class Terms, int kRows, int kPanels>
void matmul_tile(ElementRows x, const float* panel, int64_t panel_stride, int64_t depth, float* y,
                 int64_t y_stride, int64_t cols, bool accumulate) {
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
  tile<Terms, kRows, kVecs>(x.data, x.stride, 1, panel, kPanel, panel_stride, depth, acc);
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
template <int kPanels, class Terms>
void matmul_panels(Terms& terms, RowGrid grid, ConstRows x, PackedMatrix w, Rows y, int64_t n0,
                   bool accumulate) {
  const float* panel = w.data + n0 * w.depth;
  const int64_t panel_stride = w.depth * kPanel;
  for (int64_t k0 = 0; k0 < w.depth; k0 += kDepthBlock) {
    const int64_t depth = w.depth - k0 < kDepthBlock ? w.depth - k0 : kDepthBlock;
    const auto do_tile = [&](auto rows, int64_t i, int64_t j) {
      const ElementRows from =
          terms.rows(x.data + i * x.outer + j * x.inner, x.inner, rows, k0, depth);
      matmul_tile<Terms, decltype(rows)::value, kPanels>(
          from, panel + k0 * kPanel, panel_stride, depth, y.data + i * y.outer + j * y.inner + n0,
          y.inner, w.cols - n0, accumulate || k0 > 0);
    };
    for (int64_t i = 0; i < grid.outer; ++i) {
      if constexpr (kPanels > 1)
        with_rows<kWideRows>(grid.inner, [&](auto rows) { do_tile(rows, i, 0); });
      else
        for_row_tiles(grid.inner, [&](auto rows, int64_t j) { do_tile(rows, i, j); });
    }
  }
}

// Kernels::matmul; w.depth counts elements.
template <class Terms>
void matmul_of(Terms terms, RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  // Tiles run along the inner rows, so these should be the longer dimension.
  if (grid.inner < grid.outer && grid.inner < Vec::kMaxRows) {
    grid = {grid.inner, grid.outer};
    x = {x.data, x.inner, x.outer};
    y = {y.data, y.inner, y.outer};
  }
  int64_t n0 = 0;
  if (grid.inner <= kWideRows)
    for (; n0 + (kWidePanels - 1) * kPanel < w.cols; n0 += kWidePanels * kPanel)
      matmul_panels<kWidePanels>(terms, grid, x, w, y, n0, accumulate);
  for (; n0 < w.cols; n0 += kPanel) matmul_panels<1>(terms, grid, x, w, y, n0, accumulate);
}

}  // namespace
}  // namespace slm
