#include "train/schedule.h"

#include <algorithm>
#include <cmath>

namespace slm {

// With w warm-up steps of n, s from 0:   s < w    lr · (s + 1) / w
//                                        s >= w   lr · (r + (1 − r) · (1 + cos(π · (s − w) / (n −
//                                        w))) / 2)
// where r is min_lr_ratio: the last step's rate is a little above lr · r. Steps past the plan keep
// it.
float learning_rate(const TrainConfig& config, int64_t step, int64_t planned_steps) {
  const double rate = config.learning_rate;
  const int64_t warmup = config.warmup_steps;
  if (step < warmup)
    return static_cast<float>(rate * static_cast<double>(step + 1) / static_cast<double>(warmup));
  if (config.schedule == Schedule::constant || planned_steps <= warmup) return config.learning_rate;

  constexpr double kPi = 3.14159265358979323846;
  const double done = static_cast<double>(std::min(step, planned_steps - 1) - warmup) /
                      static_cast<double>(planned_steps - warmup);
  const double last = config.min_lr_ratio;
  return static_cast<float>(rate * (last + (1.0 - last) * 0.5 * (1.0 + std::cos(kPi * done))));
}

}  // namespace slm
