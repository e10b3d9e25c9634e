// Run by time: planning its steps and evaluations from the measured speed.
#include <algorithm>
#include <cmath>

#include "evaluate/score.h"
#include "train/run.h"

namespace slm {
namespace {

constexpr double kWorthACorrection = 0.01;  // of the planned steps
// Fractions of the run's time.
constexpr double kEstimateShare = 0.005;  // to estimate what an evaluation takes
constexpr double kEvaluationShare = 0.2;  // for one evaluation, at most

}  // namespace

void Run::plan_from_speed() {
  const bool is_early = state_.planned_steps == 0;
  if (is_early ? !speed_.early_plan_is_due() : !speed_.correction_is_due()) return;
  if (is_early) state_.evaluation_seconds = shrink_validation_to_budget();
  const Speed speed{speed_.step_seconds(), state_.evaluation_seconds};
  const Plan plan =
      plan_by_time(options_.seconds, elapsed(), state_.step, speed, options_.eval_every);
  if (is_early)
    use_early_plan(plan);
  else
    correct_plan(plan);
}

void Run::use_early_plan(const Plan& plan) {
  if (options_.eval_every > 0 && plan.eval_every > options_.eval_every)
    notes_.push_back("the run is evaluated every " + std::to_string(plan.eval_every) +
                     " steps instead of every " + std::to_string(options_.eval_every) +
                     ", so that evaluation leaves time to train");
  set_plan(plan);
  speed_.restart(elapsed());
}

void Run::correct_plan(const Plan& plan) {
  state_.planned_at = state_.step;
  const auto steps = static_cast<double>(state_.planned_steps);
  if (std::abs(static_cast<double>(plan.steps) - steps) > kWorthACorrection * steps) set_plan(plan);
}

// Cuts the validation text until evaluating it once is cheap enough, but keeps one segment. Returns
// what that takes.
double Run::shrink_validation_to_budget() {
  if (validation_.empty()) return 0;
  const double allowed = kEvaluationShare * options_.seconds;
  int64_t num_bytes = state_.validation_bytes;
  const auto estimate = [&] {
    return estimate_score_seconds(trainer_.model, bytes(validation_),
                                  static_cast<size_t>(num_bytes), kEstimateShare * options_.seconds,
                                  now_);
  };
  double cost = estimate();
  while (cost > allowed && num_bytes > kScoreSegmentBytes) {
    const auto affordable = static_cast<int64_t>(static_cast<double>(num_bytes) * allowed / cost);
    num_bytes = std::max<int64_t>(affordable / kScoreSegmentBytes, 1) * kScoreSegmentBytes;
    cost = estimate();
  }
  if (num_bytes < state_.validation_bytes) use_validation(num_bytes);
  return cost;
}

}  // namespace slm
