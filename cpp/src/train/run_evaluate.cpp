// Run's evaluations, and the best of them.
#include <cmath>
#include <cstdio>
#include <limits>

#include "evaluate/score.h"
#include "train/run.h"

namespace slm {
namespace {

constexpr double kClearlyWorse = 1.005;  // than the best loss: worth a note

}  // namespace

bool Run::evaluation_due() const {
  if (state_.step == 0 || state_.planned_steps == 0) return false;
  const bool planned = state_.step % state_.eval_every == 0 || state_.step == state_.planned_steps;
  return planned && (state_.evaluations.empty() || state_.evaluations.back().step != state_.step);
}

bool Run::evaluate() {
  Net& model = trainer_.model;
  const double start = now_();
  Evaluation evaluation;
  evaluation.validation_loss = validation_loss();
  state_.evaluation_seconds = now_() - start;
  measured_from_ += state_.evaluation_seconds;
  evaluation.step = state_.step;
  evaluation.seconds = elapsed();
  evaluation.train_loss = state_.loss_sum / static_cast<double>(state_.loss_count);
  state_.loss_sum = 0;
  state_.loss_count = 0;
  state_.evaluations.push_back(evaluation);
  if (validation_.empty()) return false;

  ++state_.since_best;
  if (std::isnan(evaluation.validation_loss)) return false;
  if (state_.best_step > 0 && evaluation.validation_loss >= state_.best_loss) return false;
  state_.best_step = state_.step;
  state_.best_loss = evaluation.validation_loss;
  state_.since_best = 0;
  best_.resize(static_cast<size_t>(model.table.num_parameters()));
  model.backend->read(model.weights->flat(), 0, model.table.num_parameters(), best_.data());
  return true;
}

// NaN where there is none to be had. The recurrence of a dense layer is linear, so that on texts
// much longer than a window it can grow without bound; such weights are not the best, and that is
// all.
double Run::validation_loss() {
  if (validation_.empty()) return std::numeric_limits<double>::quiet_NaN();
  try {
    return score_text(trainer_.model, bytes(validation_), validation_.size(), nullptr)
        .nats_per_byte;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::training) throw;
    notes_.push_back("at step " + std::to_string(state_.step) +
                     " the validation loss is not a finite number: " + error.what());
    return std::numeric_limits<double>::quiet_NaN();
  }
}

bool Run::should_stop_early() const {
  return options_.patience > 0 && state_.since_best >= options_.patience;
}

// A text that was learned by heart is no secret.
void Run::note_best_step() {
  if (best_.empty() || best_reported_) return;
  best_reported_ = true;
  const double last = state_.evaluations.back().validation_loss;
  if (!(last > kClearlyWorse * state_.best_loss)) return;  // also where it is not a number
  char losses[80];
  std::snprintf(losses, sizeof losses, " (%.3f) and %.3f at the end", state_.best_loss, last);
  const std::string best = "step " + std::to_string(state_.best_step);
  notes_.push_back("the validation loss was best at " + best + " of " +
                   std::to_string(state_.step) + losses + "; the model has the weights of " + best);
}

void Run::finish() {
  if (state_.evaluations.empty() || state_.evaluations.back().step != state_.step) evaluate();
  note_best_step();
}

void Run::restore_best() {
  if (best_.empty()) return;
  Net& model = trainer_.model;
  model.backend->write(best_.data(), model.table.num_parameters(), model.weights->flat(), 0);
  model.backend->params_changed(*model.weights);
}

}  // namespace slm
