#pragma once
// Scoring a text by a model that learns from it while it reads, as a compressor like PPM does
// (docs/evaluation.md). The text is one stream of short windows: each is scored by the weights from
// before it, and then learned from by one update.
#include "net.h"

namespace slm {

// A trained model moves little, at a tenth of the rate that made it; its rows of n-grams and
// matches, most of which have seen little, move almost as they did in training.
struct DynamicEvaluationOptions {
  int64_t window = 32;          // bytes between two updates
  float learning_rate = 2e-4f;  // constant, from the first update on
  float table_lr_scale = 20;    // times that
  float beta1 = 0.9f;
  float beta2 = 0.98f;
};

struct Adapted {
  Score score;
  std::unique_ptr<Weights> weights;  // after the last byte
};

// `log_probs`, if given, takes `size` values. `model` is not changed. Error(config) for an empty
// text, Error(training) where output or gradient are not finite.
Adapted evaluate_dynamically(const Net& model, const uint8_t* data, size_t size, float* log_probs,
                             const DynamicEvaluationOptions& options = {});

}  // namespace slm
