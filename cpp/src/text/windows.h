#pragma once
// Which bytes of a text each training step sees. A function of the step number alone, so that a
// resumed run sees the same.
#include <string_view>
#include <vector>

#include "slm/config.h"
#include "slm/error.h"
#include "text/window.h"

namespace slm {

// Bytes of a piece of a cold row.
inline constexpr int64_t kColdPiece = 32;

// Cuts windows of T + 1 bytes out of kFirstByte + text, for step after step. The last rows of a
// batch are cold, a share of TrainConfig::cold_fraction: each consists of pieces that begin at
// random documents, paragraphs or lines, where a text starts. The W other rows are
//   "random": from uniformly random positions, each with the whole window inside the text;
//   "stream": row b reads on from b/W of the text, and goes round at its end.
// In a text of documents, each of which is followed by its end, a text starts at every document,
// whose first byte follows kFirstByte and not the end before it.
class WindowSampler {
 public:
  // The text, which must not be empty, is not copied. config.seq_len must be at most its size.
  // `documents`: it is as text/documents.h says.
  WindowSampler(std::string_view text, const TrainConfig& config, bool documents = false);

  // Valid until the next call.
  Window window(int64_t step);
  // The `count` bytes before each row of that window, as a state holds them: (B, count), a byte
  // plus one, or 0 before the start.
  void history(int64_t step, int64_t count, float* out) const;

 private:
  uint64_t position(int64_t step, int64_t row) const;  // in kFirstByte + text
  uint64_t draw_number(int64_t step, int64_t row, int64_t piece) const;
  bool starts_at(uint64_t position) const;
  uint8_t input_at(uint64_t position) const;
  uint8_t target_at(uint64_t position) const;
  void put(int64_t t, int64_t row, uint64_t position, bool starts);
  void fill_row(int64_t row, uint64_t position);
  void fill_cold_row(int64_t step, int64_t row);
  void add_starts(int64_t step, int64_t row);

  std::string_view text_;
  TrainConfig config_;
  bool documents_;
  uint64_t length_;     // of what a stream goes round
  int64_t num_warm_;    // rows that are not cold
  double start_share_;  // of the stretches of a row that start anew, where no whole row is cold
  std::vector<uint8_t> inputs_, targets_;  // (T, B)
  std::vector<uint8_t> starts_;            // (T, B), or empty where no text starts in any window
};

// The largest window that the text allows: `seq_len`, or the text's size where that is smaller.
// Error(config) for an empty text.
int64_t fitting_window(std::string_view text, int64_t seq_len);

}  // namespace slm
