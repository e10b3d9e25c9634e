// Matches: their rows, and that the finder of windows has those of the definition, however a text
// is cut into windows.
#include <string>
#include <vector>

#include "check.h"
#include "cpu/matches.h"
#include "numerics/match.h"
#include "numerics/philox.h"
#include "tensors.h"

namespace {

using slm::Config;
using Rows = std::vector<int32_t>;

// The rows of the last byte of a text by the definition, for each length.
Rows rows_at_end(const std::string& text, const Config& config) {
  Rows rows(config.match_lengths.size(), -1);
  const auto count = std::min(static_cast<int64_t>(text.size()), config.match_span + 1);
  slm::find_matches(
      [&](int64_t i) {
        return static_cast<uint8_t>(text[text.size() - 1 - static_cast<size_t>(i)]);
      },
      count, config.match_lengths.data(), static_cast<int64_t>(rows.size()),
      [&](int64_t i, int64_t row) { rows[static_cast<size_t>(i)] = static_cast<int32_t>(row); });
  return rows;
}

Config config_of(std::vector<int64_t> lengths, int64_t span) {
  Config config;
  config.match_lengths = std::move(lengths);
  config.match_span = span;
  return config;
}

// docs/model.md has these.
void test_rows() {
  const auto row = [](const std::string& text, int64_t length, int64_t span = 4096) {
    return rows_at_end(text, config_of({length}, span))[0];
  };
  CHECK_EQ(row("abcab", 2), 'c');
  CHECK_EQ(row("abcabdab", 2), 'd');             // the latest
  CHECK_EQ(row("xabcxab", 2), 256 + 'c');        // one byte longer
  CHECK_EQ(row("xyabcxyab", 2), 2 * 256 + 'c');  // two or three
  CHECK_EQ(row("1234567abc1234567ab", 2), 3 * 256 + 'c');
  CHECK_EQ(row("aaaa", 2), 256 + 'a');  // it may overlap what it is a match of
  CHECK_EQ(row("abcab", 3), -1);
  CHECK_EQ(row("abcab", 2, 4), 'c');
  CHECK_EQ(row("abcab", 2, 3), -1);  // its first byte is out of reach
  CHECK_EQ(row("xabcxab", 2, 5), 'c');
  CHECK_EQ(row("a", 2), -1);
  const std::string line(40, '=');
  CHECK_EQ(row(line, 4), 5 * 256 + '=');
  CHECK_EQ(row(line.substr(0, 20), 4), 4 * 256 + '=');
  CHECK(rows_at_end("the cat and the dog and the", config_of({3, 8, 9}, 4096)) ==
        (Rows{3 * 256 + ' ', ' ', -1}));
}

// A state's bytes and the windows that follow, of a text of few different bytes; and one in which
// texts start, where the definition is that of each text by itself.
void test_windows(const Config& config, const std::vector<int64_t>& windows, int letters,
                  bool starting = false) {
  constexpr int64_t kBatch = 2;
  const int64_t K = history_size(config), num = static_cast<int64_t>(config.match_lengths.size());
  const slm::Philox random(3, slm::PhiloxStream::window);
  std::string texts[kBatch];
  std::vector<float> history(static_cast<size_t>(K * kBatch));
  slm::MatchFinder finder(config, 64);
  uint64_t drawn = 0;
  int64_t found = 0;
  for (const int64_t T : windows) {
    std::vector<uint8_t> tokens(static_cast<size_t>(T * kBatch));
    for (uint8_t& byte : tokens) byte = static_cast<uint8_t>('a' + random.below(letters, drawn++));
    std::vector<uint8_t> starts(tokens.size());
    for (uint8_t& start : starts) start = starting && random.below(T < 5 ? 4 : 25, drawn++) == 0;
    for (int64_t b = 0; b < kBatch; ++b) {
      const int32_t* rows = finder.find(history.data() + b * K, K, tokens.data() + b, kBatch, T,
                                        starting ? starts.data() + b : nullptr);
      for (int64_t t = 0; t < T; ++t) {
        if (starts[t * kBatch + b] != 0) texts[b].clear();
        texts[b] += static_cast<char>(tokens[t * kBatch + b]);
        const Rows expected = rows_at_end(texts[b], config);
        for (int64_t i = 0; i < num; ++i) {
          CHECK_EQ(rows[i * T + t], expected[static_cast<size_t>(i)]);
          found += expected[static_cast<size_t>(i)] >= 0;
        }
      }
      for (int64_t k = 0; k < K; ++k) {
        const int64_t at = static_cast<int64_t>(texts[b].size()) - K + k;
        history[b * K + k] = at >= 0 ? static_cast<float>(texts[b][at]) + 1.0f : 0.0f;
      }
    }
  }
  CHECK(found > 10);
}

}  // namespace

int main() {
  test_rows();
  for (const int letters : {1, 2, 5})
    for (const int64_t span : {9, 40, 1000})
      for (const auto& lengths : {std::vector<int64_t>{2}, {2, 3, 4}, {3, 8}}) {
        const Config config = config_of(lengths, span);
        for (const bool starting : {false, true})
          test_windows(config, {1, 1, 3, 64, 5, 1, 17, 64, 2, 64, 4, 4, 3}, letters, starting);
      }
  test_windows(config_of({9, 20}, 200), {64, 1, 64, 7, 64}, 1);  // longer than a key of the index
  test_windows(config_of({9, 12}, 200), {64, 64, 7, 64, 64, 64}, 2);
  return test_result();
}
