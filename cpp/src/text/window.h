#pragma once
#include <cstdint>

namespace slm {

// Bytes (T, B), time-major, and the byte that follows each of them; targets may be null where no
// loss is asked for.
struct Window {
  const uint8_t* inputs;
  const uint8_t* targets;
  int64_t seq_len;
  int64_t batch_size;
};

}  // namespace slm
