#pragma once
// A training run between two steps, as one safetensors file (docs/checkpoint-format.md): all that
// is needed to go on as if it had never stopped.
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "slm/trainer.h"
#include "tensors.h"

namespace slm {

// The scalars of a run that change from step to step.
struct RunState {
  int64_t step = 0;           // steps done, which is also the number of optimizer updates
  int64_t planned_steps = 0;  // 0: the speed is still being measured
  int64_t planned_at = 0;     // the step after which a plan by time was fixed; 0: not yet
  int64_t eval_every = 0;
  int64_t validation_bytes = 0;   // of the validation text, used: a run by time may cut it
  double evaluation_seconds = 0;  // what one takes
  int64_t best_step = 0;
  double best_loss = 0;         // meaningless while best_step is 0
  int64_t since_best = 0;       // evaluations since the best
  double loss_sum = 0;          // of the steps since the latest evaluation
  int64_t loss_count = 0;       // and their number
  double seconds = 0;           // of wall time, all sessions together
  double training_seconds = 0;  // of that, in steps
  std::vector<Evaluation> evaluations;
};

// All of a checkpoint but its tensors.
struct CheckpointHeader {
  Config config;
  TrainConfig train_config;  // that the run was given
  std::optional<TrainConfig>
      last_run;                       // the same as used; a former slm has only that, in its place
  std::optional<ByteSet> seen_bytes;  // as in Net
  Json plan;  // an object of what a resumed run must have the same, beside the two configs
  RunState state;
};

struct Checkpoint : CheckpointHeader {
  // Flat, in the order of the tensor table: num_parameters values of weights, num_moments of m and
  // v. `best` is empty before the first best.
  std::vector<float> weights, m, v, best;
  std::vector<float> stream;  // state_size values with "stream" sampling, else empty
};

void save_checkpoint(const std::string& path, const TensorTable& table,
                     const Checkpoint& checkpoint);
// Error(io) where the file cannot be read, Error(format) where it is no checkpoint.
Checkpoint load_checkpoint(const std::string& path);
// The same without reading the tensors, or checking that they are there.
CheckpointHeader load_checkpoint_header(const std::string& path);

}  // namespace slm
