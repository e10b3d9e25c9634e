#include "numerics/sampling.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "numerics/exp.h"
#include "numerics/philox.h"
#include "util/require.h"

namespace slm {
namespace {

using Values = std::array<double, kVocabSize>;

constexpr float kMax = std::numeric_limits<float>::max();

void require_finite(const float* logits) {
  for (int64_t i = 0; i < kVocabSize; ++i) {
    if (std::isfinite(logits[i])) continue;
    refuse_value("the model's logit for byte " + std::to_string(i), number_text(logits[i]),
                 "finite: its weights have diverged or its file is damaged", ErrorKind::training);
  }
}

void renormalize(Values& p) {
  const double factor = 1 / std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value *= factor;
}

// The maximum is taken off before the temperature is applied, so that none can overflow.
Values softmax(const Values& logits, double temperature) {
  const double max = *std::max_element(logits.begin(), logits.end());
  const double scale = 1 / temperature;
  Values p;
  for (size_t i = 0; i < p.size(); ++i) p[i] = exp_nonpositive((logits[i] - max) * scale);
  renormalize(p);
  return p;
}

// The order in which bytes are kept: by falling probability, the lower byte first on ties.
struct Before {
  const Values& p;
  bool operator()(uint8_t a, uint8_t b) const { return p[a] != p[b] ? p[a] > p[b] : a < b; }
};

std::array<uint8_t, kVocabSize> all_bytes() {
  std::array<uint8_t, kVocabSize> bytes;
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  return bytes;
}

void keep_top_k(size_t k, Values& p) {
  if (k >= p.size()) return;
  auto bytes = all_bytes();
  std::nth_element(bytes.begin(), bytes.begin() + k, bytes.end(), Before{p});
  std::for_each(bytes.begin() + k, bytes.end(), [&](uint8_t byte) { p[byte] = 0; });
  renormalize(p);
}

// A heap gives the bytes in order one by one: usually a few are enough, and sorting all 256 would
// cost as much as a small model's step.
void keep_nucleus(double top_p, Values& p) {
  auto bytes = all_bytes();
  const auto after = [&](uint8_t a, uint8_t b) { return Before{p}(b, a); };
  std::make_heap(bytes.begin(), bytes.end(), after);
  Values kept{};
  double sum = 0;
  auto end = bytes.end();
  do {
    std::pop_heap(bytes.begin(), end--, after);
    kept[*end] = p[*end];
    sum += p[*end];
  } while (sum < top_p - kSampleSlack && end != bytes.begin());
  p = kept;
}

void drop_below(double bound, Values& p) {
  for (double& value : p) {
    if (value < bound) value = 0;
  }
}

}  // namespace

void validate(const SampleOptions& options) {
  require("temperature", options.temperature, Range<float>{0});
  require("top_k", options.top_k, Range<int>{0});
  require("top_p", options.top_p, Range<float>{0, 1, true, false});
  require("min_p", options.min_p, Range<float>{0, 1});
  for (const std::string& stop : options.stop)
    if (stop.empty()) refuse_value("a stop string", "empty", "at least one byte long");
  if (options.allowed && options.allowed->empty())
    refuse_value("allowed", "empty", "at least one byte");
  require("repetition_penalty", options.repetition_penalty, Range<float>{0, kMax, true, false});
  for (const auto& [byte, bias] : options.logit_bias)
    if (!(bias < std::numeric_limits<float>::infinity()))
      refuse_value("the logit_bias of byte " + std::to_string(byte), number_text(bias),
                   "a finite number or -inf, which bans the byte");
}

ByteSet allowed_bytes(const SampleOptions& options, const std::optional<ByteSet>& seen_bytes) {
  ByteSet allowed = seen_bytes && !seen_bytes->empty() ? *seen_bytes : ByteSet::all();
  if (options.allowed) allowed = *options.allowed;
  for (const auto& [byte, bias] : options.logit_bias)
    if (std::isinf(bias)) allowed.remove(byte);
  return allowed;
}

LogitRules::LogitRules(const SampleOptions& options)
    : repetition_penalty(options.repetition_penalty) {
  for (const auto& [byte, value] : options.logit_bias)
    if (std::isfinite(value)) bias[byte] = value;
}

void next_byte_distribution(const float* logits, const SampleOptions& options,
                            const LogitRules& rules, const SampleRequest& at, float* probs) {
  require_finite(logits);
  Values adjusted;
  for (size_t i = 0; i < adjusted.size(); ++i)
    adjusted[i] = adjusted_logit(logits[i], static_cast<uint8_t>(i), rules, at);
  if (options.temperature == 0) {
    std::fill(probs, probs + kVocabSize, 0.0f);
    const auto best = std::max_element(adjusted.begin(), adjusted.end());  // the first of equals
    probs[best - adjusted.begin()] = 1.0f;
    return;
  }
  Values p = softmax(adjusted, options.temperature);
  if (options.top_k > 0) keep_top_k(static_cast<size_t>(options.top_k), p);
  if (options.top_p < 1) keep_nucleus(options.top_p, p);
  drop_below(options.min_p * *std::max_element(p.begin(), p.end()) * (1 - kSampleSlack), p);
  renormalize(p);
  std::transform(p.begin(), p.end(), probs, [](double value) { return static_cast<float>(value); });
}

uint8_t sample_byte(const float* probs, double uniform) {
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

void sample_bytes(const float* logits, const SampleOptions& options, const SampleRequest* requests,
                  int64_t count, uint8_t* bytes) {
  const LogitRules rules(options);
  for (int64_t i = 0; i < count; ++i) {
    const SampleRequest& at = requests[i];
    float probs[kVocabSize];
    next_byte_distribution(logits + at.row * kVocabSize, options, rules, at, probs);
    const Philox random(options.seed, PhiloxStream::sample, at.sample);
    bytes[i] = sample_byte(probs, random.uniform_double(at.position));
  }
}

}  // namespace slm
