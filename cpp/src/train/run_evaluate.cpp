// Run: evaluations and early stopping.
#include <limits>

#include "evaluate/score.h"
#include "train/head_bias.h"
#include "train/run.h"

namespace slm {

bool Run::evaluation_due() const {
  if (state_.step == 0 || state_.planned_steps == 0) return false;
  const bool planned = state_.step % state_.eval_every == 0 || state_.step == state_.planned_steps;
  return planned && (state_.evaluations.empty() || state_.evaluations.back().step != state_.step);
}

bool Run::evaluate() {
  const double start = now_();
  Evaluation evaluation;
  evaluation.validation_loss = validation_loss();
  state_.evaluation_seconds = now_() - start;
  speed_.leave_out(state_.evaluation_seconds);
  evaluation.step = state_.step;
  evaluation.seconds = elapsed();
  evaluation.train_loss = state_.loss_sum / static_cast<double>(state_.loss_count);
  state_.loss_sum = 0;
  state_.loss_count = 0;
  state_.evaluations.push_back(evaluation);
  return !validation_.empty() && best_.add(evaluation.validation_loss, trainer_.model);
}

// NaN without a validation text, and where the loss is not finite: the recurrence of a dense layer
// is linear, so that on texts much longer than a window it can grow without bound. Such weights are
// not the best ones, which is no reason to end the run.
double Run::validation_loss() {
  if (validation_.empty()) return std::numeric_limits<double>::quiet_NaN();
  try {
    const Net& model = trainer_.model;
    const Score score = split_.documents
                            ? score_documents(model, validation_)
                            : score_text(model, bytes(validation_), validation_.size(), nullptr);
    return score.nats_per_byte;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::training) throw;
    notes_.push_back("at step " + std::to_string(state_.step) +
                     " the validation loss is not a finite number: " + error.what());
    return std::numeric_limits<double>::quiet_NaN();
  }
}

void Run::note_overfitting() {
  if (best_.empty() || overfitting_noted_) return;
  overfitting_noted_ = true;
  const std::string note = best_.overfitting_note(state_.evaluations.back().validation_loss);
  if (!note.empty()) notes_.push_back(note);
}

void Run::finish() {
  if (state_.evaluations.empty() || state_.evaluations.back().step != state_.step) evaluate();
  note_overfitting();
}

void Run::restore_best() {
  if (state_.step == 0 && head_bias_started_) clear_head_bias(trainer_.model);
  best_.restore(trainer_.model);
}

}  // namespace slm
