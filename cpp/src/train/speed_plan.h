#pragma once
// The plan of a run by time: it measures its speed until that is known well enough to plan steps.
#include <cstdint>

namespace slm {

// Measures the steps of one session of a run. There are two plans: an early one, so that the
// learning rate schedule has an end, and a correction when the speed is better known.
class SpeedPlan {
 public:
  explicit SpeedPlan(double run_seconds) : run_seconds_(run_seconds) {}

  // A step that took `seconds` has ended; the run is `elapsed` seconds old.
  void add_step(double elapsed, double seconds);
  // Time since the latest step that went into an evaluation and not into training.
  void leave_out(double seconds) { from_ += seconds; }
  // Starts measuring again, once there is an early plan.
  void restart(double elapsed);

  // Whether the latest step was the one to make the early plan after, or to correct it after.
  bool early_plan_is_due() const;
  bool correction_is_due() const;
  // The mean over the measured steps. It includes what callbacks and checkpoints take.
  double step_seconds() const;
  double latest_step_seconds() const { return latest_; }

 private:
  // The first step of a session also allocates, and wakes threads and caches, so it counts only
  // where there is no time for another.
  bool has_one_step() const { return steps_ == 1; }

  double run_seconds_;
  int64_t steps_ = 0;   // in this session, since it began or since restart()
  double from_ = 0;     // age of the run when the first of them had ended, without evaluations
  double elapsed_ = 0;  // age of the run when the latest had ended
  double latest_ = 0;   // seconds of the latest
};

}  // namespace slm
