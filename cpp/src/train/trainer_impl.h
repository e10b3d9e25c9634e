#pragma once
// Members of Trainer, for fit and the checkpoint.
#include <memory>

#include "pass/training_pass.h"
#include "slm/trainer.h"
#include "train/input_noise.h"

namespace slm {

// The number of a step's first position, by which its random numbers are drawn: modulo 2^64, which
// the longest runs pass.
inline uint64_t first_position(int64_t step, int64_t seq_len, int64_t batch_size) {
  return static_cast<uint64_t>(step) * static_cast<uint64_t>(seq_len * batch_size);
}

struct Trainer::Impl {
  Impl(Net& model, const TrainConfig& config);

  // One update at rate `lr`; the loss before it. Parameters, moments and `state` are unchanged when
  // it throws: Error(training) for a loss or gradient that is not finite, Error(cancelled). Where
  // `losses` is not null, the loss of each byte goes there, (T, B).
  float step_window(const Window& window, std::unique_ptr<Buffer>* state, const Dropout& dropout,
                    float lr, float* losses = nullptr);

  // The same in three, so that a device has the next step's work before the caller waits for this
  // one's result: begin, then each time update, begin of the next step, finish. A step that was
  // begun is given up by beginning another one.
  void begin(const Window& window, const Buffer* state, const Dropout& dropout,
             float* losses = nullptr);
  // Saves the state after the step that was begun last; update() updates by that step, too.
  void save_state(std::unique_ptr<Buffer>& state) { pass_->save_state(state); }
  void update(float lr);
  float finish();  // waits for the update and says what step_window does

  Net& model;
  TrainConfig config;
  std::unique_ptr<Gradients> grads;  // for the latest shape of window; zero between steps
  std::unique_ptr<Buffer> m, v;      // num_moments each
  InputNoise noise;                  // for the caller to put on the window of a step
  int64_t updates = 0;               // AdamW's k: updates done
  float learning_rate = 0;           // of the latest step
  float grad_norm = 0;               // of the latest step, before clipping

 private:
  TrainingPass& pass_for(const Window& window);

  std::unique_ptr<TrainingPass> pass_;  // of windows of this shape, kept from step to step
  int64_t seq_len_ = 0, batch_size_ = 0;
  bool begun_ = false;     // `grads` may have what no update has used
  int64_t positions_ = 0;  // of the window of the latest update
  const std::unique_ptr<UpdateResult> report_;
};

}  // namespace slm
