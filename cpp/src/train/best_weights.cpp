#include "train/best_weights.h"

#include <cmath>
#include <cstdio>

namespace slm {
namespace {

constexpr double kClearlyWorse = 1.005;  // than the best loss: worth a note
constexpr char kFromTheStart[] =
    "; that was the first evaluation, so the run overfits from its start or its learning rate is "
    "too high";
constexpr char kRemedies[] =
    "; what helps against overfitting: more text, fewer steps, a smaller preset, or to start from "
    "a trained model (slm train --from)";

}  // namespace

bool BestWeights::add(double loss, const Net& net) {
  ++state_.since_best;
  if (std::isnan(loss)) return false;
  if (state_.best_step > 0 && loss >= state_.best_loss) return false;
  state_.best_step = state_.step;
  state_.best_loss = loss;
  state_.since_best = 0;
  weights_.resize(static_cast<size_t>(net.table.num_parameters()));
  net.backend->read(net.weights->flat(), 0, net.table.num_parameters(), weights_.data());
  return true;
}

void BestWeights::restore(Net& net) const {
  if (empty()) return;
  net.backend->write(weights_.data(), net.table.num_parameters(), net.weights->flat(), 0);
  net.backend->params_changed(*net.weights);
}

std::string BestWeights::overfitting_note(double last_loss) const {
  // The comparison is false where the last loss is not a number.
  if (empty() || !(last_loss > kClearlyWorse * state_.best_loss)) return "";
  char losses[80];
  std::snprintf(losses, sizeof losses, " (%.3f) and %.3f at the end", state_.best_loss, last_loss);
  const std::string best = "step " + std::to_string(state_.best_step);
  const bool was_first =
      !state_.evaluations.empty() && state_.evaluations.front().step == state_.best_step;
  return "the validation loss was best at " + best + " of " + std::to_string(state_.step) + losses +
         "; the model has the weights of " + best + (was_first ? kFromTheStart : "") + kRemedies;
}

}  // namespace slm
