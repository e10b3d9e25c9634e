#include "evaluate/symbols.h"

#include <algorithm>

#include "evaluate/score.h"
#include "text/documents.h"

namespace slm {
namespace {

bool has_symbols(std::string_view text) {
  return text.find(static_cast<char>(kEndByte)) != std::string_view::npos ||
         text.find(static_cast<char>(kEscapeByte)) != std::string_view::npos;
}

}  // namespace

Symbols::Symbols(const Config& config, const std::vector<std::string_view>& texts, float* log_probs)
    : bytes_(texts), symbols_(texts), of_bytes_(log_probs) {
  if (!config.documents) return;
  const auto count = std::count_if(texts.begin(), texts.end(), has_symbols);
  escaped_.reserve(static_cast<size_t>(count));  // so that views of them stay
  size_t size = 0;
  for (std::string_view& text : symbols_) {
    if (has_symbols(text)) text = escaped_.emplace_back(escape(text));
    size += text.size();
  }
  if (count > 0 && log_probs != nullptr) of_symbols_.resize(size);
}

void Symbols::finish(std::vector<Score>& scores) const {
  for (size_t i = 0; i < scores.size(); ++i) {
    if (bytes_[i].size() == symbols_[i].size()) continue;
    const double nats = scores[i].nats_per_byte * static_cast<double>(scores[i].num_bytes);
    scores[i] = score_of(nats, static_cast<int64_t>(bytes_[i].size()));
  }
  if (of_symbols_.empty()) return;
  const float* from = of_symbols_.data();
  float* to = of_bytes_;
  for (size_t i = 0; i < bytes_.size(); ++i) {
    const bool escaped = bytes_[i].size() != symbols_[i].size();
    for (const char byte : bytes_[i]) {
      *to = *from++;
      if (escaped && needs_escape(static_cast<uint8_t>(byte))) *to += *from++;
      ++to;
    }
  }
}

}  // namespace slm
