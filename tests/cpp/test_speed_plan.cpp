// When a run by time plans its steps, and by which speed.
#include "check.h"
#include "train/speed_plan.h"

using slm::SpeedPlan;

namespace {

constexpr double kRunSeconds = 100;

// The first step is slow and counts only while it is the only one.
void test_mean_leaves_out_the_first_step() {
  SpeedPlan speed(kRunSeconds);
  speed.add_step(3, 3);
  CHECK_EQ(speed.step_seconds(), 3.0);
  speed.add_step(4, 1);
  CHECK_EQ(speed.step_seconds(), 1.0);
  speed.add_step(6, 1.5);  // half a second of it went into a callback
  CHECK_EQ(speed.step_seconds(), 1.5);
  CHECK_EQ(speed.latest_step_seconds(), 1.5);
}

void test_early_plan() {
  SpeedPlan speed(kRunSeconds);
  speed.add_step(6, 6);
  CHECK(!speed.early_plan_is_due());  // another step may be measured
  speed.add_step(6.5, 0.5);
  CHECK(speed.early_plan_is_due());

  SpeedPlan fast(kRunSeconds), slow(kRunSeconds);
  fast.add_step(1, 1);
  fast.add_step(4.9, 1);
  CHECK(!fast.early_plan_is_due());
  fast.add_step(5, 0.1);
  CHECK(fast.early_plan_is_due());
  slow.add_step(10, 10);
  CHECK(slow.early_plan_is_due());
}

void test_correction() {
  SpeedPlan speed(kRunSeconds);
  speed.add_step(25, 25);
  CHECK(!speed.correction_is_due());  // one step of a resumed session says little
  speed.add_step(26, 1);
  CHECK(speed.correction_is_due());

  SpeedPlan early(kRunSeconds);
  early.add_step(4, 4);
  early.add_step(6, 2);
  early.restart(7);
  early.add_step(9, 1);
  CHECK_EQ(early.step_seconds(), 2.0);  // of the time since the restart
  CHECK(!early.correction_is_due());
  early.add_step(20, 1);
  CHECK(early.correction_is_due());
}

void test_evaluations_are_left_out() {
  SpeedPlan speed(kRunSeconds);
  speed.add_step(1, 1);
  speed.leave_out(4);
  speed.add_step(6, 1);
  CHECK_EQ(speed.step_seconds(), 1.0);
}

}  // namespace

int main() {
  test_mean_leaves_out_the_first_step();
  test_early_plan();
  test_correction();
  test_evaluations_are_left_out();
  return test_result();
}
