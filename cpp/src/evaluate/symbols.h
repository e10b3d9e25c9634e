#pragma once
// Texts as a model reads them: a model of documents reads them escaped (text/documents.h), and what
// it says of the symbols is put together again for the bytes.
#include <string>
#include <string_view>
#include <vector>

#include "slm/model.h"

namespace slm {

class Symbols {
 public:
  // `log_probs`, if given, takes those of the bytes of all texts. The texts must outlive this.
  Symbols(const Config& config, const std::vector<std::string_view>& texts, float* log_probs);

  const std::vector<std::string_view>& texts() const { return symbols_; }
  // Where those of all symbols belong; null if none are wanted.
  float* log_probs() { return of_symbols_.empty() ? of_bytes_ : of_symbols_.data(); }
  // Turns the scores of the symbols, and their log-probabilities, into those of the bytes.
  void finish(std::vector<Score>& scores) const;

 private:
  std::vector<std::string_view> bytes_, symbols_;
  std::vector<std::string> escaped_;  // the texts that are
  std::vector<float> of_symbols_;     // empty if nothing is escaped
  float* of_bytes_;
};

}  // namespace slm
