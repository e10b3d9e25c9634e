#include "train/speed_plan.h"

namespace slm {
namespace {

// Fractions of the run's time.
constexpr double kEarlyPlan = 0.05;
constexpr double kEarlyPlanAfterOneStep = 0.1;  // one step that takes this is measured enough
constexpr double kCorrection = 0.2;

}  // namespace

void SpeedPlan::add_step(double elapsed, double seconds) {
  if (++steps_ == 1) from_ = elapsed;
  elapsed_ = elapsed;
  latest_ = seconds;
}

void SpeedPlan::restart(double elapsed) {
  steps_ = 1;
  from_ = elapsed;
}

bool SpeedPlan::early_plan_is_due() const {
  return elapsed_ >= (has_one_step() ? kEarlyPlanAfterOneStep : kEarlyPlan) * run_seconds_;
}

bool SpeedPlan::correction_is_due() const {
  return !has_one_step() && elapsed_ >= kCorrection * run_seconds_;
}

double SpeedPlan::step_seconds() const {
  return has_one_step() ? latest_ : (elapsed_ - from_) / static_cast<double>(steps_ - 1);
}

}  // namespace slm
