#include "train/run.h"

#include <algorithm>

#include "io/atomic_file.h"
#include "pass/profile.h"
#include "text/bytes_of.h"
#include "text/documents.h"
#include "text/sample_blocks.h"
#include "train/head_bias.h"
#include "train/schedule.h"

namespace slm {
namespace {

constexpr double kHardStop = 1.05;  // share of the time of a run by time

// The bytes of documents are more than those that the user sees.
std::string ends_in_words(const Split& split) {
  if (!split.documents) return "";
  size_t ends = 0;
  for (size_t i = 0; i < split.training.size(); ++i) ends += is_end(split.training, i) ? 1 : 0;
  if (ends == 0) return "";  // what is left of a document that was cut
  return ends == 1 ? " with the end of its document"
                   : " with the ends of its " + std::to_string(ends) + " documents";
}

}  // namespace

Run::Run(Trainer::Impl& trainer, const TrainingText& text, const FitOptions& options, Clock now)
    : trainer_(trainer),
      options_(options),
      now_(std::move(now)),
      config_(trainer.config),
      best_(state_, options.patience),
      speed_(options.seconds),
      start_(now_()),
      last_save_(start_) {
  validate(options);
  split_ = split_text(text, options, trainer.model.config.documents, config_.seed, notes_);
  use_validation(static_cast<int64_t>(split_.validation.size()));
  const std::string size = bytes_in_words(split_.training.size());
  config_.seq_len = fitting_window(split_.training, config_.seq_len);
  if (config_.seq_len < trainer.config.seq_len)
    notes_.push_back("the text to train on has " + size + ends_in_words(split_) +
                     ", so the window is " + size + " instead of " +
                     std::to_string(trainer.config.seq_len));
  if (options.steps > 0) config_.steps = options.steps;
  // A file that cannot be written is better known now than after the first half minute.
  if (!options.checkpoint.empty()) {
    AtomicFile probe(options.checkpoint);
    run_spec_ = run_spec();
  }

  const auto blocks = sample_blocks(split_.training);
  adds_seen_bytes_ = blocks.size() > 1;
  ByteSet read;
  for (const std::string_view block : blocks) read.add(bytes_of(block, model_config().documents));
  sampler_ = std::make_unique<WindowSampler>(split_.training, config_, split_.documents);
  make_window_state();
  if (options.resume)
    resume();
  else
    start_afresh();
  seen_bytes_ = trainer.model.seen_bytes;
  if (seen_bytes_) seen_bytes_->add(read);
  trainer.model.config = model_config();
}

// Streams carry their state; a window in the middle of a text also has the bytes before it, where
// the model looks at them.
void Run::make_window_state() {
  const Net& model = trainer_.model;
  if (config_.sampling != Sampling::stream && history_size(model.config) == 0) return;
  const int64_t size = state_size(model.config, config_.batch_size);
  window_state_ = model.backend->make_buffer(size);
  start_values_.resize(static_cast<size_t>(size));
}

void Run::start_afresh() {
  const Net& model = trainer_.model;
  trainer_.m = model.backend->make_buffer(model.table.num_moments());
  trainer_.v = model.backend->make_buffer(model.table.num_moments());
  trainer_.updates = 0;
  if (options_.seconds == 0) set_plan(plan_by_steps(config_.steps, options_.eval_every));
  head_bias_started_ = start_head_bias(trainer_.model, split_.training);
}

void Run::use_validation(int64_t num_bytes) {
  validation_ = split_.validation.substr(0, static_cast<size_t>(num_bytes));
  state_.validation_bytes = num_bytes;
  if (validation_.size() < split_.validation.size())
    notes_.push_back("the first " + std::to_string(num_bytes) + " of " +
                     std::to_string(split_.validation.size()) +
                     " validation bytes are used, so that evaluation leaves time to train");
}

bool Run::finished() {
  if (evaluation_due()) return false;
  if (state_.planned_steps > 0 && state_.step >= state_.planned_steps) return true;
  stopped_early_ = best_.should_stop();
  if (stopped_early_) return true;
  if (options_.seconds == 0 || state_.step == 0) return false;
  const double next = elapsed() + speed_.latest_step_seconds() + state_.evaluation_seconds;
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
    if (state_.step == state_.planned_steps || best_.should_stop()) note_outcome();
  }
  progress.step = state_.step;
  progress.steps = state_.planned_steps;
  progress.loss = loss_;
  progress.learning_rate = trainer_.learning_rate;
  progress.grad_norm = trainer_.grad_norm;
  progress.seconds = elapsed();
  progress.bytes_per_second = bytes_per_second();
  progress.notes.assign(notes_.begin() + static_cast<std::ptrdiff_t>(notes_reported_),
                        notes_.end());
  notes_reported_ = notes_.size();
  return progress;
}

// A backend that runs ahead gets the next step's forward and backward pass before this one's result
// is waited for. Its update is not called before this step has been told: who stops then has the
// weights of this step.
void Run::take_step() {
  const double start = now_();
  if (!next_begun_) begin_step(state_.step);
  trainer_.update(learning_rate(config_, state_.step, state_.planned_steps));
  if (window_state_) trainer_.save_state(window_state_);
  const int64_t next = state_.step + 1;
  std::exception_ptr stopped;  // after this step
  next_begun_ =
      trainer_.model.backend->is_async() && !is_profiling() && next < state_.planned_steps;
  try {
    if (next_begun_) begin_step(next);
  } catch (...) {
    stopped = std::current_exception();
    next_begun_ = false;
  }
  loss_ = trainer_.finish();
  const double seconds = now_() - start;
  ++state_.step;
  trainer_.model.seen_bytes = seen_bytes_;
  trainer_.model.last_run = used_config();
  state_.loss_sum += loss_;
  ++state_.loss_count;
  state_.training_seconds += seconds;
  if (stopped) std::rethrow_exception(stopped);
  speed_.add_step(elapsed(), seconds);
  if (options_.seconds > 0 && state_.planned_at == 0) plan_from_speed();
}

void Run::begin_step(int64_t step) {
  start_window(step);
  const Dropout drops = dropout(step);
  const Window window = sampler_->window(step);
  if (adds_seen_bytes_ && seen_bytes_) {
    const auto count = static_cast<size_t>(window.seq_len * window.batch_size);
    seen_bytes_->add(bytes_of({reinterpret_cast<const char*>(window.targets), count},
                              trainer_.model.config.documents));
  }
  trainer_.begin(trainer_.noise.corrupt(window, noise(), drops.seed, drops.first),
                 window_state_.get(), drops);
}

// Random windows all start from zero, streams at the first step; what stands before them in the
// text is known nevertheless.
void Run::start_window(int64_t step) {
  if (!window_state_ || (config_.sampling == Sampling::stream && step > 0)) return;
  const Net& model = trainer_.model;
  sampler_->history(step, history_size(model.config),
                    start_values_.data() + hidden_size(model.config, config_.batch_size));
  model.backend->write(start_values_.data(), window_state_->size(), *window_state_, 0);
}

double Run::window_bytes() const {
  return static_cast<double>(config_.seq_len * config_.batch_size);
}

double Run::bytes_per_second() const {
  if (state_.training_seconds <= 0) return 0;
  return static_cast<double>(state_.step) * window_bytes() / state_.training_seconds;
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
  history.config = used_config();
  history.stopped = stopped || stopped_early_;
  return history;
}

}  // namespace slm
