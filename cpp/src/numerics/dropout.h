#pragma once
// What is dropped, in numbers that every device shares. A Philox block makes eight decisions of 16
// bits each: of eight values of a row or, in a model with n-grams or matches, of a position's,
// whose vectors are dropped whole. So a step learns to do without an n-gram, as it has to on new
// text. What is dropped of the layers' inputs has a mask for each text of the batch, (L, E) values:
// by this the inputs of layers 2 to L and of the head are multiplied at all time steps (Gal,
// Ghahramani: "A theoretically grounded application of dropout in recurrent neural networks",
// NeurIPS 2016).
#include <array>
#include <cstdint>

#include "numerics/philox.h"

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

// The Philox block that decides for the eight values around value i of such masks.
constexpr uint64_t mask_block(uint64_t number, int64_t size, int64_t i) {
  return number * (static_cast<uint64_t>(size + 7) / 8) + static_cast<uint64_t>(i) / 8;
}

// Value i of the masks of the text of this number, `size` values in all: 0 or the scale.
constexpr float mask_value(const Philox& random, float rate, uint64_t number, int64_t size,
                           int64_t i) {
  const auto at = static_cast<uint64_t>(i);
  const auto bits = random.bits(mask_block(number, size, i));
  return drop_number(bits, at % 8) < drop_threshold(rate) ? 0.0f : drop_scale(rate);
}

}  // namespace slm
