#pragma once
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011): a counter goes in, 128 random bits come out, and there is no state. Any number can be
// drawn in any order on any thread, and a resumed run needs nothing but its step number.
#include <array>
#include <cstdint>

namespace slm {

// The purpose of a random number. Two streams of one seed never overlap.
enum class PhiloxStream : uint32_t {
  init = 0,
  window = 1,
  sample = 2,
  dropout = 3,
  layers = 4,
  noise = 5,
  cold = 6,
  validation = 7
};

class Philox {
 public:
  constexpr Philox(uint64_t seed, PhiloxStream stream, uint32_t substream = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        stream_(static_cast<uint32_t>(stream)),
        substream_(substream) {}

  constexpr std::array<uint32_t, 4> bits(uint64_t counter) const {
    return permute(
        {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), substream_, stream_},
        key_);
  }

  // Uniform in [0, 1) with 24 bits: every value is a float exactly.
  float uniform(uint64_t counter) const {
    return static_cast<float>(bits(counter)[0] >> 8) * (1.0f / 16777216.0f);
  }

  // Uniform in [0, 1) with 53 bits.
  constexpr double uniform_double(uint64_t counter) const {
    const auto b = bits(counter);
    const uint64_t high = (static_cast<uint64_t>(b[0]) << 32 | b[1]) >> 11;
    return static_cast<double>(high) * (1.0 / 9007199254740992.0);
  }

  // Uniform in [0, n). The bias of the multiplication is below n / 2^64.
  uint64_t below(uint64_t n, uint64_t counter) const {
    const auto b = bits(counter);
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>(
        (static_cast<Wide>(static_cast<uint64_t>(b[0]) << 32 | b[1]) * n) >> 64);
  }

  // The bare permutation, for the test against the published vectors.
  static constexpr std::array<uint32_t, 4> permute(std::array<uint32_t, 4> counter,
                                                   std::array<uint32_t, 2> key) {
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
      const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
      counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
                 static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
      key[0] += 0x9E3779B9;
      key[1] += 0xBB67AE85;
    }
    return counter;
  }

 private:
  std::array<uint32_t, 2> key_;
  uint32_t stream_, substream_;
};

}  // namespace slm
