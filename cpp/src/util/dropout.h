#pragma once
// What is dropped, in numbers that every device shares. A Philox block makes eight decisions of 16
// bits each: of eight values of a row or, in a model with n-grams, of a position's n-grams, whose
// vectors are dropped whole. So a step learns to do without an n-gram, as it has to on new text.
#include <array>
#include <cstdint>

namespace slm {

// A number below it is a hit.
constexpr uint32_t drop_threshold(float rate) {
  return static_cast<uint32_t>(rate * 65536.0f + 0.5f);
}

// Of what is kept, so that the expectation stays.
constexpr float drop_scale(float rate) {
  return 65536.0f / (65536.0f - static_cast<float>(drop_threshold(rate)));
}

// Number i of 8.
constexpr uint32_t drop_number(const std::array<uint32_t, 4>& bits, uint64_t i) {
  return i % 2 == 0 ? bits[i / 2] & 0xFFFF : bits[i / 2] >> 16;
}

}  // namespace slm
