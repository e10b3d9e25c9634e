#include "text/windows.h"

#include <algorithm>

#include "util/philox.h"

namespace slm {

int64_t fitting_window(std::string_view text, int64_t seq_len) {
  if (text.empty())
    throw Error(ErrorKind::config, "the text to train on is empty; at least one byte is needed");
  return std::min(seq_len, static_cast<int64_t>(text.size()));
}

WindowSampler::WindowSampler(std::string_view text, const TrainConfig& config)
    : text_(text),
      config_(config),
      inputs_(static_cast<size_t>(config.seq_len * config.batch_size)),
      targets_(inputs_.size()) {}

Window WindowSampler::window(int64_t step) {
  const auto length = static_cast<uint64_t>(text_.size()) + 1;  // kFirstByte + text
  const auto seq_len = static_cast<uint64_t>(config_.seq_len);
  const auto batch_size = static_cast<uint64_t>(config_.batch_size);
  const Philox random(config_.seed, PhiloxStream::window);
  for (uint64_t row = 0; row < batch_size; ++row) {
    const uint64_t position =
        config_.sampling == "stream"
            ? (row * length / batch_size + static_cast<uint64_t>(step) * seq_len) % length
            : random.below(length - seq_len, static_cast<uint64_t>(step) * batch_size + row);
    fill_row(static_cast<int64_t>(row), position);
  }
  return {inputs_.data(), targets_.data(), config_.seq_len, config_.batch_size};
}

void WindowSampler::fill_row(int64_t row, uint64_t position) {
  const auto next_byte = [&]() -> uint8_t {
    const uint64_t at = position++;
    if (position > text_.size()) position = 0;
    return at == 0 ? kFirstByte : static_cast<uint8_t>(text_[at - 1]);
  };
  uint8_t byte = next_byte();
  for (int64_t t = 0; t < config_.seq_len; ++t) {
    const auto i = static_cast<size_t>(t * config_.batch_size + row);
    inputs_[i] = byte;
    byte = next_byte();
    targets_[i] = byte;
  }
}

}  // namespace slm
