#include "cpu/matches.h"

#include <algorithm>
#include <utility>

#include "numerics/match.h"
#include "tensors.h"

namespace slm {
namespace {

constexpr int kHashBits = 13;
// For so few positions, trying every earlier position costs no more than an index of the history.
constexpr int64_t kFewPositions = 4;

// The bytes before a position that are in the index: the shortest length, or eight of it.
uint64_t key_mask(int64_t length) {
  return length >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * length)) - 1;
}

// Whether any of `count` values is `a` and followed by `b`.
bool has_pair(const float* values, int64_t count, float a, float b) {
  int pairs = 0;
  for (int64_t i = 0; i < count; ++i)
    pairs |= static_cast<int>(values[i] == a) & static_cast<int>(values[i + 1] == b);
  return pairs != 0;
}

}  // namespace

MatchFinder::MatchFinder(const Config& config, int64_t seq_len)
    : lengths_(config.match_lengths), span_(config.match_span) {
  if (lengths_.empty()) return;
  const int64_t size = history_size(config) + seq_len;
  text_ = CpuArray<uint8_t>(size);
  before_ = CpuArray<int32_t>(size);
  latest_ = CpuArray<int32_t>(int64_t{1} << kHashBits);
  rows_ = CpuArray<int32_t>(static_cast<int64_t>(lengths_.size()) * seq_len);
}

const int32_t* MatchFinder::find(const float* history, int64_t K, const uint8_t* tokens,
                                 int64_t stride, int64_t seq_len, const uint8_t* starts) {
  std::fill_n(rows_.get(), static_cast<int64_t>(lengths_.size()) * seq_len, -1);
  // Entries before the start of the text are 0 and come first.
  const float* first =
      std::partition_point(history, history + K, [](float byte) { return byte <= 0; });
  past_ = history + K - first;
  if (seq_len > kFewPositions) {
    for (int64_t i = 0; i < past_; ++i) text_[i] = static_cast<uint8_t>(first[i] - 1);
    for (int64_t t = 0; t < seq_len; ++t) text_[past_ + t] = tokens[t * stride];
    find_by_index(starts, stride, seq_len);
  } else {
    find_one_by_one(history + K, tokens, stride, seq_len, starts);
  }
  return rows_.get();
}

// `window` is the end of the history, which is not copied, since generation searches for one
// position at a time. Blocks of the history without the last two bytes are skipped.
void MatchFinder::find_one_by_one(const float* window, const uint8_t* tokens, int64_t stride,
                                  int64_t seq_len, const uint8_t* starts) {
  constexpr int64_t kBlock = 64;
  const auto num = static_cast<int64_t>(lengths_.size());
  int64_t start = -past_;  // of the text
  for (int64_t t = 0; t < seq_len; ++t) {
    if (starts != nullptr && starts[t * stride] != 0) start = t;
    const auto at = [=](int64_t i) {
      return i <= t ? tokens[(t - i) * stride] : static_cast<uint8_t>(window[t - i] - 1);
    };
    const auto found = [&](int64_t i, int64_t row) {
      rows_[i * seq_len + t] = static_cast<int32_t>(row);
    };
    const int64_t count = std::min(t - start, span_) + 1;
    if (count < 2) continue;
    const auto last = static_cast<float>(at(0) + 1), before = static_cast<float>(at(1) + 1);
    int64_t next = 0, back = 1;
    while (back < count && next < num) {
      const int64_t end = std::min(back + kBlock, count);
      if (back > t && end < count && !has_pair(window + t - end, kBlock, before, last)) {
        back = end;
        continue;
      }
      for (; back < end && next < num; ++back)
        if (at(back) == at(0)) next = try_match(at, count, back, lengths_.data(), num, next, found);
    }
  }
}

// Tries only the earlier positions that end with the same few bytes. One index serves all texts of
// the window: the latest positions come first, and the first one that lies before the text ends the
// search.
void MatchFinder::find_by_index(const uint8_t* starts, int64_t stride, int64_t seq_len) {
  const auto num = static_cast<int64_t>(lengths_.size());
  const uint64_t mask = key_mask(lengths_[0]);
  std::fill_n(latest_.get(), int64_t{1} << kHashBits, -1);
  uint64_t key = 0;
  const auto add = [&](int64_t end) {  // returns the previous position with this key
    key = key << 8 | text_[end];
    int32_t& latest =
        latest_[static_cast<int64_t>((key & mask) * 0x9E3779B97F4A7C15 >> (64 - kHashBits))];
    before_[end] = latest;
    return std::exchange(latest, static_cast<int32_t>(end + 1 < lengths_[0] ? -1 : end));
  };
  for (int64_t end = 0; end < past_; ++end) add(end);
  int64_t start = 0;  // of the text
  for (int64_t end = past_; end < past_ + seq_len; ++end) {
    if (starts != nullptr && starts[(end - past_) * stride] != 0) start = end;
    const int64_t count = std::min(end - start, span_) + 1;
    const uint8_t* newest = text_.get() + end;
    int64_t next = 0;
    for (int64_t at = add(end); at >= 0 && end - at < count; at = before_[at]) {
      const int64_t first = 1 - lengths_[next];  // of the bytes that have to be the same
      if (at + first < 0 || text_[at + first] != newest[first]) continue;
      next = try_match([=](int64_t i) { return newest[-i]; }, count, end - at, lengths_.data(), num,
                       next,
                       [&](int64_t i, int64_t row) {
                         rows_[i * seq_len + end - past_] = static_cast<int32_t>(row);
                       });
      if (next == num) break;
    }
  }
}

}  // namespace slm
