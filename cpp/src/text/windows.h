#pragma once
// Which bytes of a text each training step sees. A function of the step number alone, so that a
// resumed run sees the same.
#include <string_view>
#include <vector>

#include "slm/config.h"
#include "slm/error.h"
#include "text/window.h"

namespace slm {

// Cuts windows of T + 1 bytes out of kFirstByte + text, for step after step:
//   "random": from uniformly random positions, each with the whole window inside the text;
//   "stream": row b reads on from b/B of the text, and goes round at its end.
class WindowSampler {
 public:
  // The text, which must not be empty, is not copied. config.seq_len must be at most its size.
  WindowSampler(std::string_view text, const TrainConfig& config);

  // Valid until the next call.
  Window window(int64_t step);
  // The `count` bytes before each row of that window, as a state holds them: (B, count), a byte
  // plus one, or 0 before the start.
  void history(int64_t step, int64_t count, float* out) const;

 private:
  uint64_t position(int64_t step, int64_t row) const;  // in kFirstByte + text
  uint8_t byte_at(uint64_t position) const;
  void fill_row(int64_t row, uint64_t position);

  std::string_view text_;
  TrainConfig config_;
  std::vector<uint8_t> inputs_, targets_;  // (T, B)
};

// The largest window that the text allows: `seq_len`, or the text's size where that is smaller.
// Error(config) for an empty text.
int64_t fitting_window(std::string_view text, int64_t seq_len);

}  // namespace slm
