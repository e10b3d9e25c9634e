#pragma once
// Eight floats in an AVX2 register. vec_avx512.h and vec_neon.h have the same interface; the
// kernels are written once against it. Everything has internal linkage: code compiled for an
// instruction set must not be what the linker picks for a caller that may run without it.
#include <immintrin.h>

#include <cstdint>

namespace slm {
namespace {

struct Vec {
  static constexpr int kLanes = 8;
  static constexpr int kTileVecs = 2, kMaxRows = 6;  // a tile's accumulators: 12 of 16 registers
  __m256 v;

  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec all(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  // The first n < kLanes lanes; the others read as zero and are not written.
  static Vec load_partial(const float* p, int64_t n) {
    return {_mm256_maskload_ps(p, lane_mask(n))};
  }
  void store_partial(float* p, int64_t n) const { _mm256_maskstore_ps(p, lane_mask(n), v); }
  // ShardPass i where numbers[i] >= bound, which is below 2^16; zero elsewhere.
  Vec where_at_least(const uint16_t* numbers, uint32_t bound) const {
    const __m128i narrow = _mm_loadu_si128(reinterpret_cast<const __m128i*>(numbers));
    const __m256i below = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(bound)),
                                             _mm256_cvtepu16_epi32(narrow));
    return {_mm256_andnot_ps(_mm256_castsi256_ps(below), v)};
  }

 private:
  static __m256i lane_mask(int64_t n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes);
  }
};

inline Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }  // b where either is NaN
inline Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
inline Vec fmadd(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }    // a b + c
inline Vec fnmadd(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }  // c - a b
inline Vec round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
// 2^n for integral n in [-126, 127].
inline Vec pow2(Vec n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
}

}  // namespace
}  // namespace slm
