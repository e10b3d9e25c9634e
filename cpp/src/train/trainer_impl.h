#pragma once
// What Trainer is made of, for fit and the checkpoint.
#include <memory>

#include "layers/pass.h"
#include "slm/trainer.h"

namespace slm {

struct Trainer::Impl {
  Impl(Model::Impl& model, const TrainConfig& config);

  // One update at rate `lr`; the loss before it. Parameters, moments and `state` are unchanged when
  // it throws: Error(training) for a loss or gradient that is not finite, Error(cancelled).
  float step_window(const Window& window, Buffer* state, const Dropout& dropout, float lr);

  // Of each byte of the latest step's window, (T, B), before its update.
  const std::vector<float>& losses() const { return pass_->losses(); }

  Model::Impl& model;
  TrainConfig config;
  std::unique_ptr<Gradients> grads;  // for the latest shape of window; zero between steps
  std::unique_ptr<Buffer> m, v;      // num_moments each
  int64_t updates = 0;               // AdamW's k: updates done
  float learning_rate = 0;           // of the latest step
  float grad_norm = 0;               // of the latest step, before clipping

 private:
  TrainingPass& pass_for(const Window& window);

  std::unique_ptr<TrainingPass> pass_;  // of windows of this shape, kept from step to step
  int64_t seq_len_ = 0, batch_size_ = 0;
};

}  // namespace slm
