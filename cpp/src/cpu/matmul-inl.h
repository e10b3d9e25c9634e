// The matrix kernels: one register tile, used for both products. Included per instruction set.
//
// Packed layout: the columns are cut into panels of two vectors, the last one padded with zeros;
// a panel holds its `depth` rows one after the other, so that the tile reads it in a straight line.
#pragma once

namespace slm {
namespace {

constexpr int64_t kPanel = 2 * Vec::kLanes;
// Depth of a panel slice that stays in L1 (32 lanes x 128 x 4 bytes = 16 KiB) while rows go by.
constexpr int64_t kDepthBlock = 128;

// acc[m][v] += sum_k a[m * a_row + k * a_depth] * b[k * b_depth + v * lanes], k rising.
template <int kRows, int kVecs>
inline __attribute__((always_inline)) void tile(const float* a, int64_t a_row, int64_t a_depth,
                                                const float* b, int64_t b_depth, int64_t depth,
                                                Vec (&acc)[kRows][kVecs]) {
  for (int64_t k = 0; k < depth; ++k) {
    Vec bk[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) bk[v] = Vec::load(b + k * b_depth + v * Vec::kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) {
      const Vec am = Vec::all(a[m * a_row + k * a_depth]);
#pragma GCC unroll 8
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

// One panel slice against `rows` rows; `cols` of the panel's columns exist.
template <int kRows>
void matmul_tile(const float* x, int64_t x_stride, const float* panel, int64_t depth, float* y,
                 int64_t y_stride, int64_t cols, bool accumulate) {
  Vec acc[kRows][2];
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
    acc[m][0] = accumulate ? load_lanes(y + m * y_stride, cols) : Vec::zero();
    acc[m][1] =
        accumulate ? load_lanes(y + m * y_stride + Vec::kLanes, cols - Vec::kLanes) : Vec::zero();
  }
  tile<kRows, 2>(x, x_stride, 1, panel, kPanel, depth, acc);
#pragma GCC unroll 16
  for (int m = 0; m < kRows; ++m) {
    store_lanes(acc[m][0], y + m * y_stride, cols);
    store_lanes(acc[m][1], y + m * y_stride + Vec::kLanes, cols - Vec::kLanes);
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

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  // Tiles run along the inner rows; make that the longer way.
  if (grid.inner < grid.outer && grid.inner < Vec::kMaxRows) {
    grid = {grid.inner, grid.outer};
    x = {x.data, x.inner, x.outer};
    y = {y.data, y.inner, y.outer};
  }
  for (int64_t n0 = 0; n0 < w.cols; n0 += kPanel) {
    const int64_t cols = w.cols - n0 < kPanel ? w.cols - n0 : kPanel;
    const float* panel = w.data + n0 * w.depth;
    for (int64_t k0 = 0; k0 < w.depth; k0 += kDepthBlock) {
      const int64_t depth = w.depth - k0 < kDepthBlock ? w.depth - k0 : kDepthBlock;
      for (int64_t i = 0; i < grid.outer; ++i)
        for_row_tiles(grid.inner, [&](auto rows, int64_t j) {
          matmul_tile<decltype(rows)::value>(
              x.data + i * x.outer + j * x.inner + k0, x.inner, panel + k0 * kPanel, depth,
              y.data + i * y.outer + j * y.inner + n0, y.inner, cols, accumulate || k0 > 0);
        });
    }
  }
}

template <int kRows, int kVecs>
void outer_tile(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
                float* dw, int64_t dw_stride) {
  Vec acc[kRows][kVecs];
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kVecs; ++v) acc[m][v] = Vec::zero();
  tile<kRows, kVecs>(dy, 1, dy_stride, x, x_stride, depth, acc);
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
  int64_t j = 0;
  for (; j + kPanel <= cols; j += kPanel)
    for_row_tiles(rows, [&](auto n, int64_t i) {
      outer_tile<decltype(n)::value, 2>(dy + i, dy_stride, x + j, x_stride, depth,
                                        dw + i * dw_stride + j, dw_stride);
    });
  if (j + Vec::kLanes <= cols) {
    for_row_tiles(rows, [&](auto n, int64_t i) {
      outer_tile<decltype(n)::value, 1>(dy + i, dy_stride, x + j, x_stride, depth,
                                        dw + i * dw_stride + j, dw_stride);
    });
    j += Vec::kLanes;
  }
  if (j < cols)
    outer_tail(dy, dy_stride, x + j, x_stride, depth, dw + j, dw_stride, rows, cols - j);
}

}  // namespace
}  // namespace slm
