// The learning rate of every step, against the formula in docs/training.md.
#include <cmath>

#include "check.h"
#include "train/schedule.h"

using slm::learning_rate;

namespace {

slm::TrainConfig config(int64_t warmup, slm::Schedule schedule) {
  slm::TrainConfig config;
  config.learning_rate = 0.5f;
  config.warmup_steps = warmup;
  config.schedule = schedule;
  return config;
}

}  // namespace

int main() {
  const slm::TrainConfig cosine = config(4, slm::Schedule::cosine);
  CHECK_EQ(learning_rate(cosine, 0, 20), 0.125f);
  CHECK_EQ(learning_rate(cosine, 3, 20), 0.5f);
  CHECK_EQ(learning_rate(cosine, 4, 20), 0.5f);
  CHECK_NEAR(learning_rate(cosine, 12, 20), 0.25, 1e-8);
  for (int64_t step = 4; step < 19; ++step) {
    CHECK_NEAR(learning_rate(cosine, step, 20),
               0.25 * (1 + std::cos(std::acos(-1.0) * static_cast<double>(step - 4) / 16)), 1e-7);
    CHECK(learning_rate(cosine, step + 1, 20) < learning_rate(cosine, step, 20));
  }
  CHECK(learning_rate(cosine, 19, 20) > 0);
  CHECK_EQ(learning_rate(cosine, 20, 20), learning_rate(cosine, 19, 20));
  CHECK_EQ(learning_rate(cosine, 1000, 20), learning_rate(cosine, 19, 20));

  // A cosine that ends at a share of the rate.
  slm::TrainConfig raised = cosine;
  raised.min_lr_ratio = 0.2f;
  CHECK_EQ(learning_rate(raised, 3, 20), 0.5f);
  CHECK_EQ(learning_rate(raised, 4, 20), 0.5f);
  CHECK_NEAR(learning_rate(raised, 12, 20), 0.3, 1e-7);
  for (int64_t step = 4; step < 20; ++step)
    CHECK_NEAR(learning_rate(raised, step, 20), 0.1 + 0.8 * learning_rate(cosine, step, 20), 1e-7);
  raised.min_lr_ratio = 1;
  CHECK_EQ(learning_rate(raised, 19, 20), 0.5f);

  // Not planned yet: the warm-up does not wait, the cosine does.
  CHECK_EQ(learning_rate(cosine, 1, 0), 0.25f);
  CHECK_EQ(learning_rate(cosine, 100, 0), 0.5f);
  // A plan no longer than the warm-up is all warm-up.
  CHECK_EQ(learning_rate(cosine, 1, 2), 0.25f);
  CHECK_EQ(learning_rate(cosine, 5, 4), 0.5f);

  const slm::TrainConfig constant = config(0, slm::Schedule::constant);
  CHECK_EQ(learning_rate(constant, 0, 20), 0.5f);
  CHECK_EQ(learning_rate(constant, 19, 20), 0.5f);
  return test_result();
}
