// Run: what it makes of the configs that it is given.
#include <algorithm>

#include "train/run.h"

namespace slm {
namespace {

// A longer warm-up than a tenth of a run would leave it too little time at its rate. Models without
// a norm keep theirs: they may diverge at a rate that comes soon.
int64_t fitting_warmup(const Config& config, int64_t warmup_steps, int64_t steps) {
  constexpr int64_t kLeastStepsPerWarmup = 10;
  if (config.norm == Norm::none) return warmup_steps;
  return std::min(warmup_steps, steps / kLeastStepsPerWarmup);
}

}  // namespace

// Documents make the model one of documents.
Config Run::model_config() const {
  Config config = trainer_.model.config;
  config.documents = config.documents || split_.documents;
  return config;
}

// Rates that are chosen depend on the plan. Until there is one, in the first part of a run by time,
// nothing is dropped.
Dropout Run::dropout(int64_t step) const {
  const bool has_norm = trainer_.model.config.norm != Norm::none;
  Dropout dropout;
  dropout.rate = config_.dropout;
  if (config_.dropout == kAutoDropout) dropout.rate = auto_dropout(passes());
  dropout.locked_rate = config_.locked_dropout;
  if (config_.locked_dropout == kAutoDropout)
    dropout.locked_rate = has_norm ? auto_locked_dropout(passes()) : 0;
  dropout.seed = config_.seed;
  dropout.first = dropout.row = first_position(step, config_.seq_len, config_.batch_size);
  return dropout;
}

float Run::noise() const {
  return config_.input_noise == kAutoDropout ? auto_input_noise(passes()) : config_.input_noise;
}

double Run::passes() const {
  return static_cast<double>(state_.planned_steps) * window_bytes() /
         static_cast<double>(split_.training.size());
}

void Run::set_plan(const Plan& plan) {
  state_.planned_steps = plan.steps;
  state_.eval_every = plan.eval_every;
  config_.steps = plan.steps;
  config_.warmup_steps =
      fitting_warmup(trainer_.model.config, trainer_.config.warmup_steps, plan.steps);
}

TrainConfig Run::used_config() const {
  TrainConfig used = config_;
  const Dropout drops = dropout(state_.step);
  used.dropout = drops.rate;
  used.locked_dropout = drops.locked_rate;
  used.input_noise = noise();
  return used;
}

}  // namespace slm
