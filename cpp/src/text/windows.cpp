#include "text/windows.h"

#include <algorithm>

#include "numerics/philox.h"

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
  for (int64_t row = 0; row < config_.batch_size; ++row) fill_row(row, position(step, row));
  return {inputs_.data(), targets_.data(), config_.seq_len, config_.batch_size};
}

void WindowSampler::history(int64_t step, int64_t count, float* out) const {
  for (int64_t row = 0; row < config_.batch_size; ++row) {
    const uint64_t start = position(step, row);
    for (auto back = static_cast<uint64_t>(count); back > 0; --back)
      *out++ = back > start ? 0.0f : static_cast<float>(byte_at(start - back) + 1);
  }
}

uint64_t WindowSampler::position(int64_t step, int64_t row) const {
  const auto length = static_cast<uint64_t>(text_.size()) + 1;  // kFirstByte + text
  const auto seq_len = static_cast<uint64_t>(config_.seq_len);
  const auto batch_size = static_cast<uint64_t>(config_.batch_size);
  const auto s = static_cast<uint64_t>(step), b = static_cast<uint64_t>(row);
  if (config_.sampling == Sampling::stream) return (b * length / batch_size + s * seq_len) % length;
  const Philox random(config_.seed, PhiloxStream::window);
  return random.below(length - seq_len, s * batch_size + b);
}

uint8_t WindowSampler::byte_at(uint64_t position) const {
  return position == 0 ? kFirstByte : static_cast<uint8_t>(text_[position - 1]);
}

void WindowSampler::fill_row(int64_t row, uint64_t position) {
  const auto next_byte = [&] {
    const uint8_t byte = byte_at(position++);
    if (position > text_.size()) position = 0;
    return byte;
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
