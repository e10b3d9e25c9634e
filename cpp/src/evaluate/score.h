#pragma once
// The evaluation protocol (docs/evaluation.md), in one place for Model::score and fit's validation:
// the text is cut into contiguous segments, each warmed from a fresh state by the bytes before it,
// and every byte is scored once.
#include <functional>
#include <string_view>
#include <vector>

#include "net.h"

namespace slm {

inline constexpr int64_t kScoreSegmentBytes = 16384;
inline constexpr int64_t kWarmBytes = 256;

inline const uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

// Error(config) for an empty text.
void expect_text_to_score(size_t size);
// The Score of `num_bytes` bytes whose cross-entropies sum to `nats`; of none, NaN.
Score score_of(double nats, int64_t num_bytes);

// `log_probs`, if given, takes `size` values. Error(config) for an empty text, Error(training)
// where the model's output is not finite.
Score score_text(const Net& model, const uint8_t* data, size_t size, float* log_probs);

// Scores each of the texts by itself, as score_text does, but computes them as one batch. Texts may
// be empty. `log_probs`, if given, takes the values of all texts one after the other.
std::vector<Score> score_texts(const Net& model, const std::vector<std::string_view>& texts,
                               float* log_probs);

// Documents, each scored by itself from a cold start. `encoded` is as text/documents.h says: the
// end of every document is a symbol that is scored and counted, and so are escapes. The last
// document may lack its end. Error(config) for an empty text.
Score score_documents(const Net& model, std::string_view encoded);

// How long score_text would take, in seconds of the clock `now`: measured on as many of its steps
// as about `budget` seconds hold.
double estimate_score_seconds(const Net& model, const uint8_t* data, size_t size, double budget,
                              const std::function<double()>& now);

}  // namespace slm
