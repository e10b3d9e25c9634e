#pragma once
// Early stopping: the weights that were best on the validation text, and how long ago that was.
#include <string>
#include <vector>

#include "io/checkpoint.h"
#include "net.h"

namespace slm {

// Step and loss of the best evaluation are in the RunState, which must outlive this: a checkpoint
// stores them, beside the weights.
class BestWeights {
 public:
  // patience: evaluations in a row without a new best after which a run stops; 0: never.
  BestWeights(RunState& state, int64_t patience) : state_(state), patience_(patience) {}

  // Takes the validation loss of the latest step. Returns whether it is the lowest so far, and then
  // keeps the weights of `net`. NaN never is.
  bool add(double loss, const Net& net);
  bool should_stop() const { return patience_ > 0 && state_.since_best >= patience_; }

  bool empty() const { return weights_.empty(); }
  // Gives `net` the best weights; without any, it stays as it is.
  void restore(Net& net) const;
  // The step whose weights restore() gives: the latest one where there are no best.
  int64_t step() const { return empty() ? state_.step : state_.best_step; }
  // Tells the user where the model has overfitted, and what helps: the loss of the last step, which
  // is given, is clearly above the best. Empty where it is not.
  std::string overfitting_note(double last_loss) const;

  // In the order of the tensor table, as in a checkpoint.
  const std::vector<float>& weights() const { return weights_; }
  void set_weights(std::vector<float> weights) { weights_ = std::move(weights); }

 private:
  RunState& state_;
  const int64_t patience_;
  std::vector<float> weights_;
};

}  // namespace slm
