#include "sample/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <sstream>

#include "util/exp.h"

namespace slm {
namespace {

// Float32 logits fix a sum of probabilities to about a millionth: what falls short of a bound by no
// more than that has reached it. So {0.5, 0.3, 0.2} with top_p = 0.8 keeps two bytes.
constexpr double kSlack = 1e-6;

using Probabilities = std::array<double, kVocabSize>;

template <typename Value>
void require(bool ok, const char* name, Value value, const char* allowed) {
  if (ok) return;
  std::ostringstream sentence;
  sentence << name << " is " << value << ", but must be " << allowed;
  throw Error(ErrorKind::config, sentence.str());
}

void require_finite(const float* logits) {
  for (int64_t i = 0; i < kVocabSize; ++i) {
    if (std::isfinite(logits[i])) continue;
    std::ostringstream sentence;
    sentence << "the model's logit for byte " << i << " is " << logits[i]
             << ", but must be finite: its weights have diverged or its file is damaged";
    throw Error(ErrorKind::training, sentence.str());
  }
}

// The maximum is taken off before the division, so that no temperature can overflow.
Probabilities softmax(const float* logits, double temperature) {
  const double max = *std::max_element(logits, logits + kVocabSize);
  Probabilities p;
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    p[i] = exp_nonpositive((logits[i] - max) / temperature);
    sum += p[i];
  }
  for (double& value : p) value /= sum;
  return p;
}

// In falling order of probability every filter cuts off a tail, so all that they decide is how many
// bytes stay.
void cut_tail(const SampleOptions& options, Probabilities& p) {
  std::array<uint8_t, kVocabSize> rank;
  std::iota(rank.begin(), rank.end(), uint8_t{0});
  std::sort(rank.begin(), rank.end(),
            [&](uint8_t a, uint8_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });

  size_t kept = p.size();
  if (options.top_k > 0) kept = std::min(kept, static_cast<size_t>(options.top_k));

  const auto mass_of = [&](size_t count) {
    double mass = 0;
    for (size_t i = 0; i < count; ++i) mass += p[rank[i]];
    return mass;
  };
  if (options.top_p < 1) {
    const double enough = (options.top_p - kSlack) * mass_of(kept);
    double mass = p[rank[0]];
    size_t prefix = 1;
    while (prefix < kept && mass < enough) mass += p[rank[prefix++]];
    kept = prefix;
  }

  const double least = options.min_p * p[rank[0]] * (1 - kSlack);
  while (p[rank[kept - 1]] < least) --kept;

  const double mass = mass_of(kept);
  for (size_t i = 0; i < kept; ++i) p[rank[i]] /= mass;
  for (size_t i = kept; i < p.size(); ++i) p[rank[i]] = 0;
}

}  // namespace

void validate(const SampleOptions& options) {
  require(std::isfinite(options.temperature) && options.temperature >= 0, "temperature",
          options.temperature, "0 or a positive number");
  require(options.top_k >= 0, "top_k", options.top_k, "0 (keep all) or a positive number");
  require(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "above 0 and at most 1");
  require(options.min_p >= 0 && options.min_p <= 1, "min_p", options.min_p, "between 0 and 1");
  for (const std::string& stop : options.stop) {
    require(!stop.empty(), "a stop string", "empty", "at least one byte long");
  }
}

void next_byte_distribution(const float* logits, const SampleOptions& options, float* probs) {
  require_finite(logits);
  if (options.temperature == 0) {
    std::fill(probs, probs + kVocabSize, 0.0f);
    probs[std::max_element(logits, logits + kVocabSize) - logits] = 1.0f;  // the first of equals
    return;
  }
  Probabilities p = softmax(logits, options.temperature);
  if (options.top_k > 0 || options.top_p < 1 || options.min_p > 0) cut_tail(options, p);
  std::transform(p.begin(), p.end(), probs, [](double value) { return static_cast<float>(value); });
}

uint8_t draw_byte(const float* probs, double uniform) {
  const double target = uniform * std::accumulate(probs, probs + kVocabSize, 0.0);
  double sum = 0;
  int64_t last = 0;
  for (int64_t i = 0; i < kVocabSize && sum <= target; ++i) {
    if (probs[i] == 0) continue;
    sum += probs[i];
    last = i;
  }
  return static_cast<uint8_t>(last);
}

}  // namespace slm
