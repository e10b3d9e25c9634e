#pragma once
#include "slm/config.h"

namespace slm {

// The rate of step `step`, counted from 0, in a run of `planned_steps`; 0 where their number is not
// known yet: the rate then stays where the warm-up ends.
float learning_rate(const TrainConfig& config, int64_t step, int64_t planned_steps);

}  // namespace slm
