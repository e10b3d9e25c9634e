#include "train/dynamic_evaluation.h"

#include <algorithm>

#include "evaluate/fixed_share.h"
#include "evaluate/score.h"
#include "train/trainer_impl.h"

namespace slm {
namespace {

TrainConfig online(const DynamicEvaluationOptions& options, float max_spectral_radius) {
  TrainConfig how;
  how.learning_rate = options.learning_rate;
  how.table_lr_scale = options.table_lr_scale;
  how.beta1 = options.beta1;
  how.beta2 = options.beta2;
  how.weight_decay = 0;  // what the model knows is not to fade
  how.clip_norm = 1;
  how.max_spectral_radius = max_spectral_radius;
  return how;
}

}  // namespace

Adapted evaluate_dynamically(const Net& model, const uint8_t* data, size_t size, float* log_probs,
                             const DynamicEvaluationOptions& options) {
  expect_text_to_score(size);
  const auto num_bytes = static_cast<int64_t>(size);
  Net learner(model);
  const TrainConfig& how = model.last_run ? *model.last_run : model.train_config;
  Trainer::Impl trainer(learner, online(options, how.max_spectral_radius));
  auto state = model.backend->make_buffer(state_size(model.config, 1));

  // The inputs of all but the first window are where the text is.
  std::vector<uint8_t> first{kFirstByte};
  first.insert(first.end(), data, data + std::min(num_bytes, options.window) - 1);
  std::vector<float> losses(static_cast<size_t>(options.window));
  FixedShare mixture(model.config.fixed_share);
  double sum = 0;
  for (int64_t at = 0; at < num_bytes; at += options.window) {
    const int64_t count = std::min(options.window, num_bytes - at);
    const uint8_t* inputs = at == 0 ? first.data() : data + at - 1;
    trainer.step_window({inputs, data + at, count, 1}, &state, Dropout{}, options.learning_rate,
                        losses.data());
    for (int64_t i = 0; i < count; ++i) {
      const float loss = mixture.loss(losses[static_cast<size_t>(i)]);
      sum += double{loss};
      if (log_probs) *log_probs++ = -loss;
    }
  }
  return {score_of(sum, num_bytes), std::move(learner.weights)};
}

}  // namespace slm
