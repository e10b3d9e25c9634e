// How a Run by time finds out how many steps it has time for.
#include <algorithm>
#include <cmath>

#include "evaluate/score.h"
#include "train/run.h"

namespace slm {
namespace {

// Shares of the time of a run by time.
constexpr double kMeasuredShare = 0.05;   // before its number of steps is planned
constexpr double kSlowStepShare = 0.1;    // a first step that takes this is measured enough
constexpr double kFixedShare = 0.2;       // before the plan is corrected, and fixed
constexpr double kCorrection = 0.01;      // of the plan's steps: less is not worth it
constexpr double kEstimateShare = 0.005;  // to estimate what an evaluation takes
constexpr double kEvaluationShare = 0.2;  // for one evaluation, at most

}  // namespace

// Twice: early, so that the schedule has an end, and once more when the speed is known better.
void Run::plan_from_speed() {
  const double now = elapsed();
  const bool is_first_plan = state_.planned_steps == 0;
  // The first step also allocates, and wakes threads and caches, so it counts only where there is
  // no time for another. What a callback and checkpoints take counts too.
  if (++measured_steps_ == 1) measured_from_ = now;
  const bool only_one = measured_steps_ == 1;
  const double share = !is_first_plan ? kFixedShare : only_one ? kSlowStepShare : kMeasuredShare;
  if (now < share * options_.seconds || (only_one && !is_first_plan)) return;
  Speed speed;
  speed.step =
      only_one ? step_seconds_ : (now - measured_from_) / static_cast<double>(measured_steps_ - 1);
  if (is_first_plan) state_.evaluation_seconds = shrink_validation_to_budget();
  speed.evaluation = state_.evaluation_seconds;
  const Plan plan =
      plan_by_time(options_.seconds, elapsed(), state_.step, speed, options_.eval_every);
  if (is_first_plan)
    use_plan_by_time(plan);
  else
    correct_plan(plan);
}

void Run::use_plan_by_time(const Plan& plan) {
  if (options_.eval_every > 0 && plan.eval_every > options_.eval_every)
    notes_.push_back("the run is evaluated every " + std::to_string(plan.eval_every) +
                     " steps instead of every " + std::to_string(options_.eval_every) +
                     ", so that evaluation leaves time to train");
  set_plan(plan);
  measured_steps_ = 1;  // from here on
  measured_from_ = elapsed();
}

void Run::correct_plan(const Plan& plan) {
  state_.planned_at = state_.step;
  const auto steps = static_cast<double>(state_.planned_steps);
  if (std::abs(static_cast<double>(plan.steps) - steps) > kCorrection * steps) set_plan(plan);
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
