#include "sample/sample_row.h"

#include "text/documents.h"

namespace slm {

SampleRow::SampleRow(const SampleOptions& options, const Candidates& candidates, bool documents,
                     const PromptState& prompt, int64_t max_bytes)
    : options_(options),
      candidates_(candidates),
      documents_(documents),
      bytes_left_(max_bytes),
      repeated_(prompt.bytes),
      characters_(prompt.characters),
      text_(options.stop, options.include_stop) {
  if (max_bytes == 0) end(FinishReason::length);
}

void SampleRow::push(uint8_t symbol) {
  const bool marks = documents_ && !after_escape_ && needs_escape(symbol);
  if (marks && symbol == kEndByte) return end(FinishReason::end);
  if (!marks && !after_escape_) repeated_.add(symbol);
  after_escape_ = marks;
  if (marks) return;
  characters_.push(symbol);
  text_.push(symbol);
  --bytes_left_;
  if (text_.closed())
    reason_ = FinishReason::stop;
  else if (bytes_left_ == 0)
    end(FinishReason::length);
}

// Bytes that are no UTF-8 may end anywhere.
void SampleRow::end(FinishReason reason) {
  if (reason == FinishReason::length && options_.whole_characters && characters_.valid())
    text_.drop_incomplete_character();
  text_.close();
  reason_ = reason;
}

}  // namespace slm
