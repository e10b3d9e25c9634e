#pragma once
// One call of Trainer::fit, taken apart into what happens between two callbacks. Everything that
// the outcome depends on is in RunState and a few arrays, which a checkpoint holds: a run that is
// saved after any step and resumed does bit for bit what it would have done.
#include <functional>

#include "io/checkpoint.h"
#include "text/windows.h"
#include "train/best_weights.h"
#include "train/plan.h"
#include "train/speed_plan.h"
#include "train/split.h"
#include "train/trainer_impl.h"

namespace slm {

using Clock = std::function<double()>;  // seconds since some moment

class Run {
 public:
  // Starts afresh or resumes, as the options say. A run that cannot start throws and leaves model
  // and trainer as they were. The text and the options must outlive this.
  Run(Trainer::Impl& trainer, const TrainingText& text, const FitOptions& options, Clock now);

  // The plan is done, or patience or the time has run out.
  bool finished();
  // One step, and the evaluation that is due after it.
  Progress advance();

  // Write the checkpoint, if one was asked for: always, or if the latest is old enough.
  void save();
  void save_if_due();

  // Evaluates the last step, if it was not.
  void finish();
  // Gives the model the weights that were best on the validation text; without one, the last, and
  // before any step those that it came with.
  void restore_best();
  // The step after which the model has the weights that restore_best() gives it.
  int64_t best_step() const { return best_.step(); }
  History history(bool stopped) const;

 private:
  void start_afresh();
  void resume();
  void expect_same_training(TrainConfig then, const std::string& path) const;
  void make_window_state();
  TrainConfig used_config() const;
  Config model_config() const;
  Json run_spec() const;
  void use_validation(int64_t num_bytes);
  double shrink_validation_to_budget();

  void take_step();
  void begin_step(int64_t step);
  Dropout dropout(int64_t step) const;
  float noise() const;
  double passes() const;  // through the text, by the plan
  void start_window(int64_t step);
  void plan_from_speed();
  void use_early_plan(const Plan& plan);
  void correct_plan(const Plan& plan);
  void set_plan(const Plan& plan);
  bool evaluation_due() const;
  bool evaluate();  // returns whether it is the best so far
  double validation_loss();
  void note_outcome();
  double elapsed() const { return state_.seconds + now_() - start_; }
  double window_bytes() const;  // that a step reads
  double bytes_per_second() const;

  Trainer::Impl& trainer_;
  const FitOptions& options_;
  const Clock now_;
  std::vector<std::string> notes_;
  Split split_;
  std::string_view validation_;        // what is used of split_.validation
  TrainConfig config_;                 // as resolved
  std::optional<ByteSet> seen_bytes_;  // of the model, from its first step on
  bool adds_seen_bytes_ = false;       // of each window, where the text was too large to be read
  Json run_spec_;                      // what a checkpoint's must equal
  RunState state_;                     // its `seconds` are those before this session
  BestWeights best_;
  SpeedPlan speed_;
  std::unique_ptr<Buffer> window_state_;  // where the next window starts; null: at nothing
  std::vector<float> start_values_;       // as many: of a state before any window
  std::unique_ptr<WindowSampler> sampler_;

  double start_, last_save_;
  bool next_begun_ = false;  // the step after it has been
  float loss_ = 0;           // of the latest step
  size_t notes_reported_ = 0;
  bool stopped_early_ = false;  // which is why it ended
  bool outcome_noted_ = false;
  bool head_bias_started_ = false;  // by this run
};

// Trainer::fit with a clock of the caller's.
History fit_text(Trainer::Impl& trainer, const TrainingText& text, const FitOptions& options,
                 const std::function<bool(const Progress&)>& callback, const Clock& now);

}  // namespace slm
