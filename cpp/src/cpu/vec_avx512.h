#pragma once
// Sixteen floats in an AVX-512 register: the interface of vec_avx2.h.
#include <immintrin.h>

#include <cstdint>

namespace slm {
namespace {

struct Vec {
  static constexpr int kLanes = 16;
  static constexpr int kTileVecs = 2, kMaxRows = 12;  // a tile's accumulators: 24 of 32 registers
  __m512 v;

  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec all(float x) { return {_mm512_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  static Vec load_partial(const float* p, int64_t n) {
    return {_mm512_maskz_loadu_ps(lane_mask(n), p)};
  }
  void store_partial(float* p, int64_t n) const { _mm512_mask_storeu_ps(p, lane_mask(n), v); }
  Vec where_at_least(const uint16_t* numbers, uint32_t bound) const {
    const __m256i narrow = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(numbers));
    const __mmask16 kept = _mm512_cmpge_epi32_mask(_mm512_cvtepu16_epi32(narrow),
                                                   _mm512_set1_epi32(static_cast<int>(bound)));
    return {_mm512_maskz_mov_ps(kept, v)};
  }

 private:
  static __mmask16 lane_mask(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
};

inline Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
inline Vec fmadd(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
inline Vec fnmadd(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
inline Vec round(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Vec pow2(Vec n) {
  const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(biased, 23))};
}

}  // namespace
}  // namespace slm
