#pragma once
#include <memory>
#include <optional>
#include <string>

#include "sample/candidates.h"
#include "sample/prompt.h"
#include "sample/text_streamer.h"

namespace slm {

// One sample from its first symbol to its end: what may be sampled next, what has become text, and
// why it ended. The options and the candidates must outlive it.
class SampleRow {
 public:
  SampleRow(const SampleOptions& options, const Candidates& candidates, bool documents,
            const PromptState& prompt, int64_t max_bytes);

  const ByteSet& candidates() const {
    return after_escape_ ? candidates_.after_escape : candidates_.anywhere;
  }
  // The bytes that the repetition penalty concerns.
  const ByteSet& repeated() const { return repeated_; }

  // Takes a symbol that was sampled, and may end. Not to be called after the end.
  void push(uint8_t symbol);
  // Returns the bytes that have become ready since the last call.
  std::string take() { return text_.take(); }

  bool ended() const { return reason_.has_value(); }
  std::optional<FinishReason> reason() const { return reason_; }
  const std::string& stop() const { return text_.stop(); }
  // Only before its end.
  void cancel() { reason_ = FinishReason::cancelled; }

 private:
  void end(FinishReason reason);

  const SampleOptions& options_;
  const Candidates& candidates_;
  bool documents_;
  int64_t bytes_left_;
  bool after_escape_ = false;
  ByteSet repeated_;
  Utf8Checker characters_;  // of the prompt and the sample
  TextStreamer text_;
  std::optional<FinishReason> reason_;
};

}  // namespace slm
