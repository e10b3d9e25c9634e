#pragma once
// Random arrays for tests, the same ones for the same seed, and their comparison bit for bit.
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

using Floats = std::vector<float>;
using Bytes = std::vector<uint8_t>;

inline Floats random_floats(int64_t size, uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  Floats values(static_cast<size_t>(size));
  for (float& value : values) value = uniform(random);
  return values;
}

inline Bytes random_bytes(int64_t size, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(static_cast<size_t>(size));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

inline bool same_bits(const Floats& a, const Floats& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}
