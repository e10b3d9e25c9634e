#pragma once
// Four floats in a NEON register of a 64-bit Arm: the interface of vec_avx2.h. Partial loads and
// stores go lane by lane; they are rare.
#include <arm_neon.h>

#include <cstdint>

namespace slm {
namespace {

struct Vec {
  static constexpr int kLanes = 4;
  static constexpr int kTileVecs = 4, kMaxRows = 6;  // a tile's accumulators: 24 of 32 registers
  float32x4_t v;

  static Vec zero() { return {vdupq_n_f32(0)}; }
  static Vec all(float x) { return {vdupq_n_f32(x)}; }
  static Vec load(const float* p) { return {vld1q_f32(p)}; }
  void store(float* p) const { vst1q_f32(p, v); }
  static Vec load_partial(const float* p, int64_t n) {
    float lanes[kLanes] = {};
    for (int64_t i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  void store_partial(float* p, int64_t n) const {
    float lanes[kLanes];
    store(lanes);
    for (int64_t i = 0; i < n; ++i) p[i] = lanes[i];
  }
  Vec where_at_least(const uint16_t* numbers, uint32_t bound) const {
    const uint32x4_t kept = vcgeq_u32(vmovl_u16(vld1_u16(numbers)), vdupq_n_u32(bound));
    return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), kept))};
  }
};

inline Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
inline Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
inline Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
inline Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
inline Vec max(Vec a, Vec b) { return {vmaxq_f32(a.v, b.v)}; }  // NaN where either is
inline Vec min(Vec a, Vec b) { return {vminq_f32(a.v, b.v)}; }
inline Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
inline Vec fmadd(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
inline Vec fnmadd(Vec a, Vec b, Vec c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
inline Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
inline Vec pow2(Vec n) {
  const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127));
  return {vreinterpretq_f32_s32(vshlq_n_s32(biased, 23))};
}

}  // namespace
}  // namespace slm
