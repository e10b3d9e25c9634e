#include "text/windows.h"

#include <algorithm>
#include <cmath>

#include "numerics/philox.h"
#include "text/beginnings.h"
#include "text/documents.h"

namespace slm {

int64_t fitting_window(std::string_view text, int64_t seq_len) {
  if (text.empty())
    throw Error(ErrorKind::config, "the text to train on is empty; at least one byte is needed");
  return std::min(seq_len, static_cast<int64_t>(text.size()));
}

// After its last document, a text goes on with the first one. A text without ends goes on with
// kFirstByte, which is a target there.
WindowSampler::WindowSampler(std::string_view text, const TrainConfig& config, bool documents)
    : text_(text),
      config_(config),
      documents_(documents),
      length_(text.size() + (documents ? 0 : 1)),
      inputs_(static_cast<size_t>(config.seq_len * config.batch_size)),
      targets_(inputs_.size()) {
  const double cold = static_cast<double>(config.cold_fraction) * config.batch_size;
  const auto num_cold = static_cast<int64_t>(std::lround(cold));
  num_warm_ = config.batch_size - num_cold;
  start_share_ = num_cold == 0 ? cold : 0;
  if (documents || cold > 0) starts_.resize(inputs_.size());
}

Window WindowSampler::window(int64_t step) {
  for (int64_t row = 0; row < num_warm_; ++row) fill_row(row, position(step, row));
  for (int64_t row = num_warm_; row < config_.batch_size; ++row) fill_cold_row(step, row);
  if (start_share_ > 0) add_starts(step, config_.batch_size - 1);
  return {inputs_.data(), targets_.data(), config_.seq_len, config_.batch_size,
          starts_.empty() ? nullptr : starts_.data()};
}

void WindowSampler::history(int64_t step, int64_t count, float* out) const {
  std::fill_n(out, config_.batch_size * count, 0.0f);
  for (int64_t row = 0; row < num_warm_; ++row) {
    uint64_t at = position(step, row);
    float* last = out + (row + 1) * count;
    for (int64_t back = 1; back <= count && at > 0 && !starts_at(at); ++back)
      last[-back] = static_cast<float>(input_at(--at) + 1);
  }
}

uint64_t WindowSampler::position(int64_t step, int64_t row) const {
  const auto seq_len = static_cast<uint64_t>(config_.seq_len);
  const auto batch_size = static_cast<uint64_t>(config_.batch_size);
  const auto num_streams = static_cast<uint64_t>(num_warm_);
  const auto s = static_cast<uint64_t>(step), b = static_cast<uint64_t>(row);
  if (config_.sampling == Sampling::stream)
    return (b * length_ / num_streams + s * seq_len) % length_;
  const Philox random(config_.seed, PhiloxStream::window);
  return random.below(text_.size() + 1 - seq_len, s * batch_size + b);
}

// The counter of the random number that decides about a piece of a row, which has at most T pieces.
uint64_t WindowSampler::draw_number(int64_t step, int64_t row, int64_t piece) const {
  const auto T = static_cast<uint64_t>(config_.seq_len),
             B = static_cast<uint64_t>(config_.batch_size);
  return (static_cast<uint64_t>(step) * B + static_cast<uint64_t>(row)) * T +
         static_cast<uint64_t>(piece);
}

bool WindowSampler::starts_at(uint64_t position) const {
  return documents_ && (position == 0 || is_end(text_, position - 1));
}

uint8_t WindowSampler::input_at(uint64_t position) const {
  if (position == 0 || starts_at(position)) return kFirstByte;
  return static_cast<uint8_t>(text_[position - 1]);
}

uint8_t WindowSampler::target_at(uint64_t position) const {
  return position == text_.size() ? kFirstByte : static_cast<uint8_t>(text_[position]);
}

void WindowSampler::put(int64_t t, int64_t row, uint64_t position, bool starts) {
  const auto i = static_cast<size_t>(t * config_.batch_size + row);
  inputs_[i] = starts ? kFirstByte : input_at(position);
  targets_[i] = target_at(position);
  if (!starts_.empty()) starts_[i] = starts;
}

void WindowSampler::fill_row(int64_t row, uint64_t position) {
  for (int64_t t = 0; t < config_.seq_len; ++t) {
    put(t, row, position, starts_at(position));
    if (++position == length_) position = 0;
  }
}

void WindowSampler::fill_cold_row(int64_t step, int64_t row) {
  const Philox random(config_.seed, PhiloxStream::cold);
  uint64_t position = 0;
  int64_t pieces = 0, left = 0;
  for (int64_t t = 0; t < config_.seq_len; ++t, ++position, --left) {
    const bool begins = left == 0 || position == text_.size() || starts_at(position);
    if (begins) {
      const uint64_t from = random.below(text_.size(), draw_number(step, row, pieces++));
      position = find_beginning(text_, from, documents_);
      left = kColdPiece;
    }
    put(t, row, position, begins);
  }
}

// Where less than half of a row is to be cold, the text of one row starts anew at as many bytes: at
// the first line of a stretch of kColdPiece bytes, or else at its first byte.
void WindowSampler::add_starts(int64_t step, int64_t row) {
  const Philox random(config_.seed, PhiloxStream::cold);
  const auto at = [&](int64_t t) { return static_cast<size_t>(t * config_.batch_size + row); };
  for (int64_t first = 0; first < config_.seq_len; first += kColdPiece) {
    if (random.uniform_double(draw_number(step, row, first / kColdPiece)) >= start_share_) continue;
    const int64_t end = std::min(first + kColdPiece, config_.seq_len);
    int64_t t = first;
    while (t < end && inputs_[at(t)] != kFirstByte) ++t;
    if (t == end) t = first;
    inputs_[at(t)] = kFirstByte;
    starts_[at(t)] = 1;
  }
}

}  // namespace slm
