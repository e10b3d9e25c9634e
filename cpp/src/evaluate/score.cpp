#include "evaluate/score.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "evaluate/pieces.h"
#include "text/documents.h"

namespace slm {
namespace {

constexpr int64_t kTimingSteps = 32;

int64_t num_segments(int64_t size) { return (size + kScoreSegmentBytes - 1) / kScoreSegmentBytes; }

struct Text {
  const uint8_t* data;
  int64_t size;
  float* log_probs;  // or null
};

// Cuts texts into the segments of the protocol. `next_text` gives the next one or returns false.
template <typename NextText>
class Segments {
 public:
  explicit Segments(NextText next_text) : next_text_(std::move(next_text)) {}

  bool operator()(Piece& piece) {
    while (begin_ >= text_.size) {
      if (!next_text_(text_)) return false;
      begin_ = 0;
      ++number_;
    }
    // A warm-up of 256 inputs has 255 targets before the segment.
    const int64_t origin = begin_ == 0 ? 0 : begin_ - (kWarmBytes - 1);
    const int64_t end = std::min(text_.size, begin_ + kScoreSegmentBytes);
    piece = {text_.data, origin, begin_, end, text_.log_probs, number_};
    begin_ = end;
    return true;
  }

 private:
  NextText next_text_;
  Text text_{nullptr, 0, nullptr};
  int64_t begin_ = 0;    // of the next segment
  int64_t number_ = -1;  // of the text
};

auto segments_of(const uint8_t* data, size_t size, float* log_probs) {
  return Segments([=, given = false](Text& text) mutable {
    text = {data, static_cast<int64_t>(size), log_probs};
    return !std::exchange(given, true);
  });
}

// Calls add(piece) for every piece, in their order. `name(piece)` is what its text is called.
template <typename Add, typename Name>
void score_pieces(const Net& model, const NextPiece& next, Add&& add, Name&& name) {
  for (;;) {
    PieceGroup group(model, next);
    if (group.pieces().empty()) return;
    group.run(0, group.num_steps());
    for (const Piece& piece : group.pieces()) {
      if (!std::isfinite(piece.nats))
        throw Error(ErrorKind::training,
                    "the model's logits are not finite numbers somewhere in bytes " +
                        std::to_string(piece.begin) + " to " + std::to_string(piece.end) + " of " +
                        name(piece));
      add(piece);
    }
  }
}

// The documents of an encoded text, with their ends.
auto documents_of(std::string_view encoded) {
  return Segments([encoded, at = size_t{0}](Text& document) mutable {
    if (at == encoded.size()) return false;
    size_t end = encoded.find(static_cast<char>(kEndByte), at);
    while (end != std::string_view::npos && !is_end(encoded, end))
      end = encoded.find(static_cast<char>(kEndByte), end + 1);
    end = end == std::string_view::npos ? encoded.size() : end + 1;
    document = {bytes(encoded) + at, static_cast<int64_t>(end - at), nullptr};
    at = end;
    return true;
  });
}

std::string name_of_number(const Piece& piece, const char* kind) {
  return kind + (" " + std::to_string(piece.text_number));
}

}  // namespace

void expect_text_to_score(size_t size) {
  if (size == 0)
    throw Error(ErrorKind::config, "the text to score is empty; at least one byte is needed");
}

Score score_of(double nats, int64_t num_bytes) {
  const double mean = nats / static_cast<double>(num_bytes);
  return {mean, mean / std::log(2.0), std::exp(mean), num_bytes};
}

Score score_text(const Net& model, const uint8_t* data, size_t size, float* log_probs) {
  expect_text_to_score(size);
  double sum = 0;
  score_pieces(
      model, segments_of(data, size, log_probs), [&](const Piece& piece) { sum += piece.nats; },
      [](const Piece&) { return std::string("the text"); });
  return score_of(sum, static_cast<int64_t>(size));
}

std::vector<Score> score_texts(const Net& model, const std::vector<std::string_view>& texts,
                               float* log_probs) {
  std::vector<double> sums(texts.size());
  const auto next_text = [&, i = size_t{0}](Text& text) mutable {
    if (i == texts.size()) return false;
    text = {bytes(texts[i]), static_cast<int64_t>(texts[i].size()), log_probs};
    if (log_probs != nullptr) log_probs += texts[i].size();
    ++i;
    return true;
  };
  score_pieces(
      model, Segments(next_text),
      [&](const Piece& piece) { sums[static_cast<size_t>(piece.text_number)] += piece.nats; },
      [](const Piece& piece) { return name_of_number(piece, "text"); });
  std::vector<Score> scores;
  scores.reserve(texts.size());
  for (size_t i = 0; i < texts.size(); ++i)
    scores.push_back(score_of(sums[i], static_cast<int64_t>(texts[i].size())));
  return scores;
}

Score score_documents(const Net& model, std::string_view encoded) {
  expect_text_to_score(encoded.size());
  double sum = 0;
  score_pieces(
      model, documents_of(encoded), [&](const Piece& piece) { sum += piece.nats; },
      [](const Piece& piece) { return name_of_number(piece, "document"); });
  return score_of(sum, static_cast<int64_t>(encoded.size()));
}

double estimate_score_seconds(const Net& model, const uint8_t* data, size_t size, double budget,
                              const std::function<double()>& now) {
  PieceGroup group(model, segments_of(data, size, nullptr));
  const auto run = [&group](int64_t t) {
    const int64_t end = std::min(t + kTimingSteps, group.num_steps());
    group.run(t, end);
    return end;
  };
  run(0);  // touches the memory
  const double start = now();
  int64_t steps = 0;
  double elapsed = 0;
  do {
    steps = run(steps);
    elapsed = now() - start;
  } while (elapsed < budget && steps < group.num_steps());
  const int64_t rows = model.backend->score_rows(model.config);
  const int64_t groups = (num_segments(static_cast<int64_t>(size)) + rows - 1) / rows;
  return elapsed * static_cast<double>(groups * group.num_steps()) / static_cast<double>(steps);
}

}  // namespace slm
