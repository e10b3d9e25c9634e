// The matrix kernels on floats. Included per instruction set.
#pragma once

namespace slm {
namespace {

struct Floats {
  static Vec add_product(Vec a, Vec b, Vec sum) { return fmadd(a, b, sum); }
  static ElementRows rows(const float* x, int64_t stride, int, int64_t k0, int64_t) {
    return {x + k0, stride};
  }
};

int64_t packed_size(int64_t depth, int64_t cols) { return packed_elements(depth, cols); }

void pack(const float* w, int64_t row_stride, int64_t col_stride, int64_t depth, int64_t cols,
          float* out) {
  for (int64_t n0 = 0; n0 < cols; n0 += kPanel) {
    const int64_t width = cols - n0 < kPanel ? cols - n0 : kPanel;
    for (int64_t k = 0; k < depth; ++k, out += kPanel)
      for (int64_t n = 0; n < kPanel; ++n)
        out[n] = n < width ? w[k * row_stride + (n0 + n) * col_stride] : 0.0f;
  }
}

void matmul(RowGrid grid, ConstRows x, PackedMatrix w, Rows y, bool accumulate) {
  matmul_of(Floats{}, grid, x, w, y, accumulate);
}

template <int kRows, int kVecs>
void outer_tile(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
                float* dw, int64_t dw_stride) {
  Vec acc[kRows][kVecs];
  for (int m = 0; m < kRows; ++m)
    for (int v = 0; v < kVecs; ++v) acc[m][v] = Vec::zero();
  tile<Floats, kRows, kVecs>(dy, 1, dy_stride, x, x_stride, 0, depth, acc);
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

void gemm_tn(const float* dy, int64_t dy_stride, const float* x, int64_t x_stride, int64_t depth,
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
