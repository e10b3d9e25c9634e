#pragma once
// IEEE 754 half precision, F16 in files.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace slm {

inline constexpr float kLargestHalf = 65504;

// Difference of the exponent biases of float and half, at the place of a float's exponent.
inline constexpr uint32_t kHalfBias = (127 - 15) << 23;

// Rounded to nearest, ties to even. The magnitude must be at most kLargestHalf.
inline uint16_t to_half(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000;
  bits &= 0x7FFFFFFF;
  const float magnitude = std::abs(value);
  if (magnitude < 0x1p-14f)  // below the normal halves there are only multiples of 2^-24
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(magnitude * 0x1p24f)));
  bits += 0xFFF + (bits >> 13 & 1);
  return static_cast<uint16_t>(sign | (bits - kHalfBias) >> 13);
}

inline float from_half(uint16_t half) {
  const bool negative = (half & 0x8000) != 0;
  const uint32_t exponent = half >> 10 & 31, fraction = half & 0x3FF;
  float magnitude;
  if (exponent == 31) {
    magnitude = fraction == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = static_cast<float>(fraction) * 0x1p-24f;
  } else {
    const uint32_t bits = (exponent << 23) + kHalfBias + (fraction << 13);
    std::memcpy(&magnitude, &bits, sizeof magnitude);
  }
  return negative ? -magnitude : magnitude;
}

}  // namespace slm
