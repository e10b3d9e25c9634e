#pragma once
// The matches (numerics/match.h) of all positions of a window.
#include <vector>

#include "cpu/array.h"
#include "slm/config.h"

namespace slm {

class MatchFinder {
 public:
  // For windows of up to `seq_len` bytes.
  MatchFinder(const Config& config, int64_t seq_len);

  // Returns the rows of one text's matches, (lengths, seq_len), -1 where there is none; valid until
  // the next call. `history` (K,) holds the bytes before the window, as in a state; byte t of the
  // window is tokens[t * stride]. Where starts[t * stride] is not 0, a text starts, which has no
  // matches in the one before; `starts` may be null.
  const int32_t* find(const float* history, int64_t K, const uint8_t* tokens, int64_t stride,
                      int64_t seq_len, const uint8_t* starts = nullptr);

 private:
  void find_one_by_one(const float* window, const uint8_t* tokens, int64_t stride, int64_t seq_len,
                       const uint8_t* starts);
  void find_by_index(const uint8_t* starts, int64_t stride, int64_t seq_len);

  std::vector<int64_t> lengths_;
  int64_t span_;
  CpuArray<uint8_t> text_;
  int64_t past_ = 0;          // bytes of text_ before the window
  CpuArray<int32_t> latest_;  // by hash of a few bytes: where they end last, or -1
  CpuArray<int32_t> before_;  // by where they end: where the same end before that, or -1
  CpuArray<int32_t> rows_;    // (lengths, seq_len)
};

}  // namespace slm
