#pragma once
// The row of an n-gram in its table. Part of the file format (docs/model.md has test vectors): it
// must never change.
#include <cstdint>

namespace slm {

constexpr int64_t kMaxNgramOrder = 8;  // the bytes that fill 64 bits

// The latest bytes of a text, the newest in the lowest bits; adding one is a shift.
struct NgramKey {
  uint64_t bytes = 0;
  int64_t count = 0;  // bytes since the start of the text

  constexpr void push(uint8_t byte) {
    bytes = bytes << 8 | byte;
    ++count;
  }
};

// The row of the n-gram of `order` bytes that ends the text, or -1 where it would reach before the
// start. Order 2 has a row for each pair of bytes; others are hashed into `buckets` rows (a power
// of two) by the finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", OOPSLA 2014).
constexpr int64_t ngram_row(const NgramKey& key, int64_t order, int64_t buckets) {
  if (key.count < order) return -1;
  uint64_t z = order == 8 ? key.bytes : key.bytes & ((uint64_t{1} << (8 * order)) - 1);
  if (order == 2) return static_cast<int64_t>(z);
  z += static_cast<uint64_t>(order) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return static_cast<int64_t>(z & static_cast<uint64_t>(buckets - 1));
}

}  // namespace slm
