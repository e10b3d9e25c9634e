#pragma once
// From logits to one byte, in the order of docs/sampling.md. Pure functions: all randomness is in
// the `uniform` that the caller passes.
#include <limits>

#include "slm/generator.h"

namespace slm {

// One byte to sample: the row of its logits, and the counters of its random number.
struct SampleRequest {
  int64_t row;
  uint32_t sample;                      // index of the text among those that are generated
  uint64_t position;                    // of the byte in that text
  ByteSet candidates = ByteSet::all();  // what may be sampled: at least one byte
  ByteSet repeated = {};                // what the repetition penalty concerns
};

// The bytes that the options allow and do not ban. They may be none.
ByteSet allowed_bytes(const SampleOptions& options, const std::optional<ByteSet>& seen_bytes);

// The rules that adjust logits before the softmax, as plain data for every device.
struct LogitRules {
  explicit LogitRules(const SampleOptions& options);

  // 0 for bytes that the options ban, which are no candidates.
  float bias[kVocabSize] = {};
  double repetition_penalty;
};

// The logit that a byte is sampled by: -infinity for one that cannot be. In double precision, no
// option overflows.
constexpr double adjusted_logit(float logit, uint8_t byte, const LogitRules& rules,
                                const SampleRequest& at) {
  if (!at.candidates.has(byte)) return -std::numeric_limits<double>::infinity();
  double value = logit;
  if (at.repeated.has(byte))
    value = value > 0 ? value / rules.repetition_penalty : value * rules.repetition_penalty;
  return value + rules.bias[byte];
}

// Float32 logits determine a sum of probabilities to about a millionth, so a sum that falls short
// of a bound by no more than that has reached it: {0.5, 0.3, 0.2} with top_p = 0.8 keeps two bytes.
constexpr double kSampleSlack = 1e-6;

// Throws Error(config) naming the first option that is out of range, its value and what is allowed.
void validate(const SampleOptions& options);

// logits (256) -> probabilities (256) that sum to 1. Throws Error(training) for a logit that is not
// finite. options must be valid, and `rules` be theirs.
void next_byte_distribution(const float* logits, const SampleOptions& options,
                            const LogitRules& rules, const SampleRequest& at, float* probs);

// Inverse of the cumulative distribution at `uniform` in [0, 1): never a byte of probability 0.
uint8_t sample_byte(const float* probs, double uniform);

// Both, for every request: logits (rows, 256) in, bytes (count,) out.
void sample_bytes(const float* logits, const SampleOptions& options, const SampleRequest* requests,
                  int64_t count, uint8_t* bytes);

}  // namespace slm
