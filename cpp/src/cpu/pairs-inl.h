#pragma once
// Values rounded to bf16, to the nearest and ties to even, two to an element: those that follow
// each other in a sum, the first one in the lower half. These elements are what the
// matrix kernels on bf16 multiply. An odd depth is padded with zeros.

namespace slm {
namespace {

// The elements that `depth` values take, in multiples of kMultiple.
template <int64_t kMultiple>
constexpr int64_t pairs(int64_t depth) {
  return (depth + 2 * kMultiple - 1) / (2 * kMultiple) * kMultiple;
}

// The 32 values of `low` and `high`, rounded, in this order.
inline Vec round_to_bf16(Vec low, Vec high) {
  return {_mm512_castsi512_ps(reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high.v, low.v)))};
}

// The 16 pairs of a value of `first` and one of `second`.
inline Vec pair_up(Vec first, Vec second) {
  alignas(64) static constexpr uint16_t kOrder[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                      21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                      11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return {_mm512_castsi512_ps(_mm512_permutexvar_epi16(
      _mm512_load_si512(kOrder), _mm512_castps_si512(round_to_bf16(first, second).v)))};
}

// The pairs of rows r and r + 1, of which those from `depth` on do not exist; `cols` values of a
// row exist.
inline Vec pair_of_rows(const float* x, int64_t stride, int64_t r, int64_t depth, int64_t cols) {
  const Vec first = r < depth ? load_lanes(x + r * stride, cols) : Vec::zero();
  const Vec second = r + 1 < depth ? load_lanes(x + (r + 1) * stride, cols) : Vec::zero();
  return pair_up(first, second);
}

// `elements` rows of pairs of x (depth, cols), each kStride elements.
template <int64_t kStride>
inline void pair_rows(const float* x, int64_t x_stride, int64_t depth, int64_t cols,
                      int64_t elements, float* out) {
  int64_t k = 0;
  if (cols >= kStride)
    for (; 2 * k + 1 < depth; ++k, out += kStride) {
      const float *first = x + 2 * k * x_stride, *second = first + x_stride;
#pragma GCC unroll 4
      for (int64_t j = 0; j < kStride; j += Vec::kLanes)
        pair_up(Vec::load(first + j), Vec::load(second + j)).store(out + j);
    }
  for (; k < elements; ++k, out += kStride)
    for (int64_t j = 0; j < kStride; j += Vec::kLanes)
      pair_of_rows(x + j, x_stride, 2 * k, depth, cols - j).store(out + j);
}

// The layout of tiles-inl.h.
template <int64_t kMultiple>
void pack_pairs(const float* w, int64_t row_stride, int64_t col_stride, int64_t depth, int64_t cols,
                float* out) {
  const int64_t elements = pairs<kMultiple>(depth);
  for (int64_t n0 = 0; n0 < cols; n0 += kPanel)
    for (int64_t k = 0; k < 2 * elements; k += 2, out += kPanel) {
      float rows[2][kPanel] = {};
      for (int64_t i = 0; i < 2 && k + i < depth; ++i)
        for (int64_t n = 0; n < kPanel && n0 + n < cols; ++n)
          rows[i][n] = w[(k + i) * row_stride + (n0 + n) * col_stride];
      for (int v = 0; v < kPanel; v += Vec::kLanes)
        pair_up(Vec::load(rows[0] + v), Vec::load(rows[1] + v)).store(out + v);
    }
}

}  // namespace
}  // namespace slm
