#pragma once
// Which values a training window drops: the same as on the CPU (cpp/src/cpu/embedding.cpp).
#include "backend.h"
#include "util/philox.h"

namespace slm {

// Of the rows of E values that start with the window's position `first`. A Philox block decides for
// eight values; each of their threads computes all of it, which is little beside reading them.
class Drop {
 public:
  Drop() = default;  // keeps all
  Drop(const Dropout& dropout, int64_t E, int64_t first)
      : active_(dropout.rate > 0),
        random_(dropout.seed, PhiloxStream::dropout),
        threshold_(static_cast<uint32_t>(dropout.rate * 65536.0f + 0.5f)),
        scale_(65536.0f / (65536.0f - static_cast<float>(threshold_))),
        first_(dropout.first + static_cast<uint64_t>(first)),
        per_row_(static_cast<uint64_t>((E + 7) / 8)) {}

  __device__ bool active() const { return active_; }

  // x, the value e of a row, if it is kept, scaled so that its expectation stays; else 0.
  __device__ float operator()(int64_t row, int64_t e, float x) const {
    if (!active_) return x;
    const uint64_t block = (first_ + static_cast<uint64_t>(row)) * per_row_;
    const uint32_t two = random_.bits(block + static_cast<uint64_t>(e / 8))[e % 8 / 2];
    return (e % 2 == 0 ? two & 0xFFFF : two >> 16) >= threshold_ ? x * scale_ : 0.0f;
  }

 private:
  bool active_ = false;
  Philox random_{0, PhiloxStream::dropout};
  uint32_t threshold_ = 0;
  float scale_ = 1;
  uint64_t first_ = 0, per_row_ = 0;
};

}  // namespace slm
