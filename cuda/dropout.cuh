#pragma once
// Which values or n-grams a training window drops: the same as on the CPU (util/dropout.h).
#include "backend.h"
#include "util/dropout.h"
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
        threshold_(drop_threshold(dropout.rate)),
        scale_(drop_scale(dropout.rate)),
        first_(dropout.first + static_cast<uint64_t>(first)),
        per_row_(static_cast<uint64_t>((E + 7) / 8)) {}

  __device__ bool active() const { return active_; }
  __device__ float scale() const { return scale_; }

  // Whether a position loses its n-gram of the order that is number i.
  __device__ bool loses(int64_t position, int64_t i) const {
    if (!active_) return false;
    const auto bits = random_.bits(first_ + static_cast<uint64_t>(position));
    return drop_number(bits, static_cast<uint64_t>(i)) < threshold_;
  }

  // x, the value e of a row, if it is kept, scaled so that its expectation stays; else 0.
  __device__ float operator()(int64_t row, int64_t e, float x) const {
    if (!active_) return x;
    const uint64_t block = (first_ + static_cast<uint64_t>(row)) * per_row_;
    const auto bits = random_.bits(block + static_cast<uint64_t>(e / 8));
    return drop_number(bits, static_cast<uint64_t>(e % 8)) >= threshold_ ? x * scale_ : 0.0f;
  }

 private:
  bool active_ = false;
  Philox random_{0, PhiloxStream::dropout};
  uint32_t threshold_ = 0;
  float scale_ = 1;
  uint64_t first_ = 0, per_row_ = 0;
};

}  // namespace slm
