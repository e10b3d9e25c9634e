#include "train/best_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace slm {
namespace {

// A last loss gets a note if it is worse than the best one by both: a share of it, and nats.
constexpr double kWorseShare = 0.01;
constexpr double kWorseNats = 0.01;
constexpr char kFromTheStart[] =
    "; that was the first evaluation, so the run overfits from its start or its learning rate is "
    "too high";
constexpr char kRemedies[] =
    "; what helps against overfitting: more text, fewer steps, a smaller model, or to start from "
    "a trained model (slm train --from, or slm.load(...).train(...))";

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
  const double least = std::max(kWorseShare * state_.best_loss, kWorseNats);
  if (empty() || !(last_loss - state_.best_loss > least)) return "";
  char losses[80];
  std::snprintf(losses, sizeof losses, " (%.3f) and %.3f at the end", state_.best_loss, last_loss);
  const std::string best = "step " + std::to_string(state_.best_step);
  const bool was_first =
      !state_.evaluations.empty() && state_.evaluations.front().step == state_.best_step;
  return "the validation loss was best at " + best + " of " + std::to_string(state_.step) + losses +
         "; the model has the weights of " + best + (was_first ? kFromTheStart : "") + kRemedies;
}

}  // namespace slm
