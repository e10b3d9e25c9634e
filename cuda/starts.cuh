#pragma once
// Where texts start within a window (Window::starts).
#include <cstdint>

namespace slm {

// A range of time, whose steps count from 0 here.
struct Starts {
  // (steps, B): the window's time step at which the text of each position starts, -1 where that is
  // before the window. Null: no text starts in the window.
  const int32_t* text_start = nullptr;
  int64_t t0 = 0, B = 0;  // the window's time step at which the range begins; batch rows

  // Whether a text starts in row b at one of the time steps [begin, end), which must not be empty.
  __device__ bool any(int64_t begin, int64_t end, int64_t b) const {
    return text_start != nullptr && text_start[(end - 1) * B + b] >= t0 + begin;
  }
  __device__ bool at(int64_t t, int64_t b) const { return any(t, t + 1, b); }
};

}  // namespace slm
