#pragma once
// The random decisions of dropout, the same on every device. A Philox block makes eight decisions
// of 16 bits each: for eight values of an embedding or, in a model with n-grams or matches, for the
// n-grams and matches of one position, whose embeddings are dropped as whole vectors, so that the
// model learns to do without an n-gram, as it has to on new text. Locked (variational) dropout has
// a mask of (L, E) values for each text of the batch, by which the inputs of layers 2 to L and of
// the head are multiplied at all time steps (Gal, Ghahramani: "A theoretically grounded application
// of dropout in recurrent neural networks", NeurIPS 2016).
#include <array>
#include <cstdint>

#include "numerics/philox.h"

namespace slm {

// A value is dropped if its 16-bit number is below this.
constexpr uint32_t drop_threshold(float rate) {
  return static_cast<uint32_t>(rate * 65536.0f + 0.5f);
}

// Scale of the kept values, so that the expectation stays.
constexpr float drop_scale(float rate) {
  return 65536.0f / (65536.0f - static_cast<float>(drop_threshold(rate)));
}

// The 16-bit number i of the eight in a block.
constexpr uint32_t drop_number(const std::array<uint32_t, 4>& bits, uint64_t i) {
  return i % 2 == 0 ? bits[i / 2] & 0xFFFF : bits[i / 2] >> 16;
}

// The Philox block that decides for the eight mask values around value i.
constexpr uint64_t mask_block(uint64_t number, int64_t size, int64_t i) {
  return number * (static_cast<uint64_t>(size + 7) / 8) + static_cast<uint64_t>(i) / 8;
}

// Value i of the `size` mask values of text `number`: 0 or the scale.
constexpr float mask_value(const Philox& random, float rate, uint64_t number, int64_t size,
                           int64_t i) {
  const auto at = static_cast<uint64_t>(i);
  const auto bits = random.bits(mask_block(number, size, i));
  return drop_number(bits, at % 8) < drop_threshold(rate) ? 0.0f : drop_scale(rate);
}

}  // namespace slm
