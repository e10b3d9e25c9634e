#pragma once
#include <cstdint>

namespace slm {

// Bytes (T, B), time-major, and the byte that follows each of them; targets may be null where no
// loss is asked for. A text starts at the positions whose `starts` is not 0: the state before them
// is zero, and no n-gram or match reaches back beyond them. Null: a text starts nowhere in the
// window.
struct Window {
  const uint8_t* inputs;
  const uint8_t* targets;
  int64_t seq_len;
  int64_t batch_size;
  const uint8_t* starts = nullptr;

  // The time steps [t0, t1).
  Window part(int64_t t0, int64_t t1) const {
    const int64_t at = t0 * batch_size;
    return {inputs + at, targets != nullptr ? targets + at : nullptr, t1 - t0, batch_size,
            starts != nullptr ? starts + at : nullptr};
  }
};

}  // namespace slm
