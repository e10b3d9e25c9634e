// Run: evaluations and early stopping.
#include <cmath>
#include <cstdio>
#include <limits>

#include "evaluate/score.h"
#include "train/head_bias.h"
#include "train/run.h"

namespace slm {
namespace {

const double kUniformLoss = std::log(static_cast<double>(kVocabSize));
constexpr int64_t kFewSteps = 20;  // after fewer, losses say nothing

}  // namespace

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

void Run::note_outcome() {
  if (outcome_noted_) return;
  outcome_noted_ = true;
  if (state_.step < kFewSteps) return;
  const Evaluation& last = state_.evaluations.back();
  const std::string note = best_.overfitting_note(last.validation_loss);
  if (!note.empty()) notes_.push_back(note);
  if (best_.empty() && !validation_.empty()) return;
  const double loss = best_.empty() ? last.train_loss : state_.best_loss;
  if (!(loss > kUniformLoss)) return;
  char four_decimals[40];
  std::snprintf(four_decimals, sizeof four_decimals, "%.4f", loss);
  notes_.push_back(
      std::string("the ") + (best_.empty() ? "training" : "validation") + " loss is " +
      four_decimals +
      " nats per byte, above ln 256 = 5.5452, that of a model for which all bytes are equally "
      "likely: " +
      (last.train_loss > kUniformLoss
           ? "the text is random, as compressed or encrypted data is, or the learning rate is too "
             "high"
           : "the validation text is unlike the text to train on; it may be in another encoding"));
}

void Run::finish() {
  if (state_.evaluations.empty() || state_.evaluations.back().step != state_.step) evaluate();
  note_outcome();
}

void Run::restore_best() {
  if (state_.step == 0 && head_bias_started_) clear_head_bias(trainer_.model);
  best_.restore(trainer_.model);
}

}  // namespace slm
