#pragma once
// Dropout of values, n-grams and matches, with the CPU's decisions (numerics/dropout.h).
#include "backend.h"
#include "numerics/dropout.h"
#include "numerics/philox.h"

namespace slm {

// The dropout settings of a window. They change from step to step, so they are in device memory,
// where captured operations read them.
struct DropNumbers {
  explicit DropNumbers(const Dropout& dropout)
      : random(dropout.seed, PhiloxStream::dropout),
        threshold(drop_threshold(dropout.rate)),
        scale(drop_scale(dropout.rate)),
        first(dropout.first) {}

  Philox random;
  uint32_t threshold;
  float scale;
  uint64_t first;
};

// The decisions for rows of E values from the window's position `first` on. A Philox block decides
// for eight values; each of their threads computes all of it, which costs little beside memory.
class Drop {
 public:
  Drop() = default;  // no dropout
  // No dropout if `numbers` is null.
  Drop(const DropNumbers* numbers, int64_t E, int64_t first)
      : numbers_(numbers), first_(first), per_row_((E + 7) / 8) {}

  __device__ bool active() const { return numbers_ != nullptr; }
  __device__ float scale() const { return numbers_->scale; }

  // Whether n-gram or match number i of a position is dropped.
  __device__ bool loses(int64_t position, int64_t i) const {
    return active() && hits(position_of(position), i);
  }

  // Dropout of x, value e of a row: 0, or x scaled so that its expectation stays.
  __device__ float operator()(int64_t row, int64_t e, float x) const {
    if (!active()) return x;
    const uint64_t block = position_of(row) * static_cast<uint64_t>(per_row_);
    return hits(block + static_cast<uint64_t>(e / 8), e % 8) ? 0.0f : x * scale();
  }

 private:
  __device__ uint64_t position_of(int64_t row) const {
    return numbers_->first + static_cast<uint64_t>(first_ + row);
  }
  __device__ bool hits(uint64_t block, int64_t i) const {
    const auto bits = numbers_->random.bits(block);
    return drop_number(bits, static_cast<uint64_t>(i)) < numbers_->threshold;
  }

  const DropNumbers* numbers_ = nullptr;
  int64_t first_ = 0, per_row_ = 0;
};

}  // namespace slm
