// Scores and probabilities of the public API. In a model of documents, texts are escaped first.
#include <algorithm>
#include <cmath>

#include "evaluate/score.h"
#include "evaluate/symbols.h"
#include "model_impl.h"
#include "pass/forward.h"
#include "text/bytes_of.h"
#include "text/documents.h"
#include "train/dynamic_evaluation.h"

namespace slm {
namespace {

// score(symbols, their number, log_probs) of a text of bytes.
template <typename F>
Score score_bytes(const Net& net, const uint8_t* data, size_t size, float* log_probs, F&& score) {
  Symbols symbols(net.config, {{reinterpret_cast<const char*>(data), size}}, log_probs);
  const std::string_view text = symbols.texts()[0];
  std::vector<Score> scores = {score(bytes(text), text.size(), symbols.log_probs())};
  symbols.finish(scores);
  return scores[0];
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probs;
  double sum = 0;
  for (const float logit : logits) sum += probs.emplace_back(std::exp(double{logit} - top));
  if (!std::isfinite(sum))
    throw Error(ErrorKind::training, "the model's logits after the prefix are not finite numbers");
  for (double& p : probs) p /= sum;
  return probs;
}

}  // namespace

Score Model::score(const uint8_t* data, size_t size, float* log_probs) const {
  return score_bytes(*impl_, data, size, log_probs,
                     [&](auto... text) { return score_text(*impl_, text...); });
}

Score Model::score(std::string_view text) const { return score(bytes(text), text.size()); }

std::vector<Score> Model::score_many(const std::vector<std::string_view>& texts,
                                     float* log_probs) const {
  Symbols symbols(impl_->config, texts, log_probs);
  std::vector<Score> scores = score_texts(*impl_, symbols.texts(), symbols.log_probs());
  symbols.finish(scores);
  return scores;
}

Score Model::score_adapting(const uint8_t* data, size_t size, float* log_probs) const {
  return score_bytes(*impl_, data, size, log_probs,
                     [&](auto... text) { return evaluate_dynamically(*impl_, text...).score; });
}

Score Model::adapt(const uint8_t* data, size_t size, float* log_probs) {
  return score_bytes(*impl_, data, size, log_probs, [&](auto... text) {
    Adapted adapted = evaluate_dynamically(*impl_, text...);
    impl_->weights = std::move(adapted.weights);
    if (impl_->seen_bytes)
      impl_->seen_bytes->add(bytes_of({reinterpret_cast<const char*>(data), size}));
    return adapted.score;
  });
}

std::vector<double> Model::next_byte_probs(std::string_view prefix) const {
  std::string symbols(1, static_cast<char>(kFirstByte));
  symbols += impl_->config.documents ? escape(prefix) : std::string(prefix);
  State state = new_state(1);
  std::vector<float> logits(kVocabSize);
  if (symbols.size() > 1) {
    const auto before = static_cast<int64_t>(symbols.size()) - 1;
    const int64_t chunk = std::min(before, impl_->backend->chunk_steps(impl_->config, 1));
    const auto workspace =
        impl_->backend->make_workspace(impl_->config, {chunk, 1, /*training=*/false});
    forward_pass(*impl_, *workspace, {bytes(symbols), nullptr, before, 1}, impl_of(state).h.get(),
                 nullptr, nullptr);
  }
  step(bytes(symbols) + symbols.size() - 1, state, logits.data());
  std::vector<double> probs = softmax(logits);
  if (!impl_->config.documents) return probs;

  // A byte comes as itself or after an escape; the two symbols that are no bytes only so.
  step(&kEscapeByte, state, logits.data());
  const std::vector<double> escaped = softmax(logits);
  const double escape_prob = probs[kEscapeByte];
  probs[kEscapeByte] = probs[kEndByte] = 0;
  for (size_t byte = 0; byte < probs.size(); ++byte) probs[byte] += escape_prob * escaped[byte];
  return probs;
}

}  // namespace slm
