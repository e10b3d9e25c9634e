#pragma once
// From logits to one byte, in the order of docs/sampling.md. Pure functions: all randomness is in
// the `uniform` that the caller passes.
#include "slm/generator.h"

namespace slm {

// Throws Error(config) naming the first option that is out of range, its value and what is allowed.
void validate(const SampleOptions& options);

// logits (256) -> probabilities (256) that sum to 1. Throws Error(training) for a logit that is not
// finite. options must be valid.
void next_byte_distribution(const float* logits, const SampleOptions& options, float* probs);

// Inverse of the cumulative distribution at `uniform` in [0, 1): never a byte of probability 0.
uint8_t draw_byte(const float* probs, double uniform);

}  // namespace slm
