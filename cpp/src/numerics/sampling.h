#pragma once
// From logits to one byte, in the order of docs/sampling.md. Pure functions: all randomness is in
// the `uniform` that the caller passes.
#include "slm/generator.h"

namespace slm {

// Float32 logits fix a sum of probabilities to about a millionth: what falls short of a bound by no
// more than that has reached it. So {0.5, 0.3, 0.2} with top_p = 0.8 keeps two bytes.
constexpr double kSampleSlack = 1e-6;

// Throws Error(config) naming the first option that is out of range, its value and what is allowed.
void validate(const SampleOptions& options);

// logits (256) -> probabilities (256) that sum to 1. Throws Error(training) for a logit that is not
// finite. options must be valid.
void next_byte_distribution(const float* logits, const SampleOptions& options, float* probs);

// Inverse of the cumulative distribution at `uniform` in [0, 1): never a byte of probability 0.
uint8_t draw_byte(const float* probs, double uniform);

// Both, at the random number of a position of a sample.
uint8_t draw_byte(const float* logits, const SampleOptions& options, uint32_t sample,
                  uint64_t position);

}  // namespace slm
