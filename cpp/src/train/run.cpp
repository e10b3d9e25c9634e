#include "train/run.h"

#include <algorithm>

#include "io/atomic_file.h"
#include "score.h"
#include "train/schedule.h"

namespace slm {
namespace {

// Shares of the time of a run by time.
constexpr double kMeasuredShare = 0.05;   // before its number of steps is fixed
constexpr double kSlowStepShare = 0.1;    // a first step that takes this is measured enough
constexpr double kEstimateShare = 0.005;  // to estimate what an evaluation takes
constexpr double kEvaluationShare = 0.2;  // for one evaluation, at most
constexpr double kHardStop = 1.05;

}  // namespace

Run::Run(Trainer::Impl& trainer, std::string_view text, const FitOptions& options, Clock now)
    : trainer_(trainer),
      options_(options),
      now_(std::move(now)),
      config_(trainer.config),
      start_(now_()),
      last_save_(start_) {
  validate(options);
  split_ = split_text(text, options, notes_);
  use_validation(static_cast<int64_t>(split_.validation.size()));
  const std::string size = bytes_in_words(split_.training.size());
  config_.seq_len = fitting_window(split_.training, config_.seq_len);
  if (config_.seq_len < trainer.config.seq_len)
    notes_.push_back("the text to train on has " + size + ", so the window is " + size +
                     " instead of " + std::to_string(trainer.config.seq_len));
  if (options.steps > 0) config_.steps = options.steps;
  // A file that cannot be written is better known now than after the first half minute.
  if (!options.checkpoint.empty()) {
    AtomicFile probe(options.checkpoint);
    plan_ = plan_json();
  }

  sampler_ = std::make_unique<WindowSampler>(split_.training, config_);
  make_window_state();
  if (options.resume)
    resume();
  else
    start_afresh();
  remember_training();
}

// Streams carry their state; a window in the middle of a text also has the bytes before it, where
// the model looks at them.
void Run::make_window_state() {
  const Model::Impl& model = trainer_.model;
  if (config_.sampling != "stream" && history_size(model.config) == 0) return;
  const int64_t size = state_size(model.config, config_.batch_size);
  window_state_ = model.backend->make_buffer(size);
  start_values_.resize(static_cast<size_t>(size));
}

void Run::remember_training() { trainer_.model.training = config_; }

// What is chosen depends on the plan. Until there is one, in the first part of a run by time,
// nothing is dropped.
Dropout Run::dropout() const {
  const int64_t positions = config_.seq_len * config_.batch_size;
  const double passes = static_cast<double>(state_.planned_steps * positions) /
                        static_cast<double>(split_.training.size());
  const bool has_norm = trainer_.model.config.norm != "none";
  Dropout dropout;
  dropout.rate = config_.dropout;
  if (config_.dropout == kAutoDropout) dropout.rate = auto_dropout(passes);
  dropout.layer_rate = config_.layer_dropout;
  if (config_.layer_dropout == kAutoDropout)
    dropout.layer_rate = has_norm ? auto_layer_dropout(passes) : 0;
  dropout.seed = config_.seed;
  dropout.first = dropout.row = static_cast<uint64_t>(state_.step * positions);
  return dropout;
}

void Run::start_afresh() {
  const Model::Impl& model = trainer_.model;
  trainer_.m = model.backend->make_buffer(model.table.num_moments());
  trainer_.v = model.backend->make_buffer(model.table.num_moments());
  trainer_.updates = 0;
  if (options_.seconds == 0) set_plan(plan_by_steps(config_.steps, options_.eval_every));
}

void Run::use_validation(int64_t num_bytes) {
  validation_ = split_.validation.substr(0, static_cast<size_t>(num_bytes));
  state_.validation_bytes = num_bytes;
  if (validation_.size() < split_.validation.size())
    notes_.push_back("the first " + std::to_string(num_bytes) + " of " +
                     std::to_string(split_.validation.size()) +
                     " validation bytes are used, so that evaluation leaves time to train");
}

void Run::set_plan(const Plan& plan) {
  state_.planned_steps = plan.steps;
  state_.planned_at = state_.step;
  state_.eval_every = plan.eval_every;
  config_.steps = plan.steps;
  remember_training();
}

bool Run::finished() {
  if (evaluation_due()) return false;
  if (state_.planned_steps > 0 && state_.step >= state_.planned_steps) return true;
  out_of_patience_ = no_patience_left();
  if (out_of_patience_) return true;
  if (options_.seconds == 0 || state_.step == 0) return false;
  const double next = elapsed() + step_seconds_ + state_.evaluation_seconds;
  if (next <= kHardStop * options_.seconds) return false;
  notes_.push_back("the time is up after step " + std::to_string(state_.step) + " of " +
                   std::to_string(config_.steps) + ": training was slower than measured");
  return true;
}

Progress Run::advance() {
  // A run that was interrupted within an evaluation owes that before the next step.
  if (!evaluation_due()) take_step();
  Progress progress;
  if (evaluation_due()) {
    progress.is_best = evaluate();
    progress.evaluation = &state_.evaluations.back();
    if (state_.step == state_.planned_steps || no_patience_left()) tell_best();
  }
  note_.clear();
  for (; notes_told_ < notes_.size(); ++notes_told_)
    note_ += (note_.empty() ? "" : "; ") + notes_[notes_told_];
  progress.step = state_.step;
  progress.steps = state_.planned_steps;
  progress.loss = loss_;
  progress.learning_rate = trainer_.learning_rate;
  progress.grad_norm = trainer_.grad_norm;
  progress.seconds = elapsed();
  progress.bytes_per_second = bytes_per_second();
  progress.note = note_;
  return progress;
}

void Run::take_step() {
  const double start = now_();
  const float rate = learning_rate(config_, state_.step, state_.planned_steps);
  start_window();
  loss_ = trainer_.step_window(sampler_->window(state_.step), window_state_.get(), dropout(), rate);
  step_seconds_ = now_() - start;
  ++state_.step;
  state_.loss_sum += loss_;
  ++state_.loss_count;
  state_.training_seconds += step_seconds_;
  if (state_.planned_steps == 0) plan_when_measured();
}

// Random windows all start from zero, streams at the first step; what stands before them in the
// text is known nevertheless.
void Run::start_window() {
  if (!window_state_ || (config_.sampling == "stream" && state_.step > 0)) return;
  const Model::Impl& model = trainer_.model;
  sampler_->history(state_.step, history_size(model.config),
                    start_values_.data() + hidden_size(model.config, config_.batch_size));
  model.backend->write(start_values_.data(), window_state_->size(), *window_state_, 0);
}

void Run::plan_when_measured() {
  const double now = elapsed();
  // The first step also allocates, and wakes threads and caches, so it counts only where there is
  // no time for another. What a callback and checkpoints take counts too.
  if (++measured_steps_ == 1) measured_from_ = now;
  const bool only_one = measured_steps_ == 1;
  if (now < (only_one ? kSlowStepShare : kMeasuredShare) * options_.seconds) return;
  Speed speed;
  speed.step =
      only_one ? step_seconds_ : (now - measured_from_) / static_cast<double>(measured_steps_ - 1);
  speed.evaluation = fit_validation_into_time();
  state_.evaluation_seconds = speed.evaluation;
  const Plan plan =
      plan_by_time(options_.seconds, elapsed(), state_.step, speed, options_.eval_every);
  if (options_.eval_every > 0 && plan.eval_every > options_.eval_every)
    notes_.push_back("the run is evaluated every " + std::to_string(plan.eval_every) +
                     " steps instead of every " + std::to_string(options_.eval_every) +
                     ", so that evaluation leaves time to train");
  set_plan(plan);
}

// Cuts the validation text until evaluating it once is cheap enough, but keeps one segment. Returns
// what that takes.
double Run::fit_validation_into_time() {
  if (validation_.empty()) return 0;
  const double allowed = kEvaluationShare * options_.seconds;
  int64_t num_bytes = state_.validation_bytes;
  const auto estimate = [&] {
    return estimate_score_seconds(trainer_.model, bytes(validation_),
                                  static_cast<size_t>(num_bytes), kEstimateShare * options_.seconds,
                                  now_);
  };
  double cost = estimate();
  while (cost > allowed && num_bytes > kSegmentBytes) {
    const auto affordable = static_cast<int64_t>(static_cast<double>(num_bytes) * allowed / cost);
    num_bytes = std::max<int64_t>(affordable / kSegmentBytes, 1) * kSegmentBytes;
    cost = estimate();
  }
  if (num_bytes < state_.validation_bytes) use_validation(num_bytes);
  return cost;
}

double Run::bytes_per_second() const {
  if (state_.training_seconds <= 0) return 0;
  return static_cast<double>(state_.step * config_.seq_len * config_.batch_size) /
         state_.training_seconds;
}

History Run::history(bool stopped) const {
  History history;
  history.evaluations = state_.evaluations;
  history.notes = notes_;
  history.steps = state_.step;
  history.best_step = best_step();
  history.best_loss = best_.empty() ? state_.evaluations.back().train_loss : state_.best_loss;
  history.seconds = elapsed();
  history.bytes_per_second = bytes_per_second();
  history.config = config_;
  history.config.dropout = dropout().rate;
  history.config.layer_dropout = dropout().layer_rate;
  history.stopped = stopped || out_of_patience_;
  return history;
}

}  // namespace slm
