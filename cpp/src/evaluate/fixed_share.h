#pragma once
// Fixed share (Herbster and Warmuth 1998, docs/model.md#references): a mixture of a model and the
// uniform distribution over bytes whose weights follow the posterior and, after each byte, share a
// fixed part. It costs little where the model is good, and little more than 8 bits where it is not.
#include <cmath>

#include "slm/config.h"

namespace slm {

class FixedShare {
 public:
  // At rate 0, the model alone.
  explicit FixedShare(double rate = 0) : rate_(rate), uniform_(rate > 0 ? kFirstUniform : 0) {}

  // The weight of the uniform distribution for the next byte.
  double uniform() const { return uniform_; }

  // −ln p of the next byte, of which the model alone says `loss`; moves on by this byte. A loss
  // that is not finite, which callers report, is left as it is.
  float loss(float loss) {
    if (uniform_ == 0 || !std::isfinite(loss)) return loss;
    const double of_model = (1 - uniform_) * std::exp(-double{loss});
    const double of_uniform = uniform_ / static_cast<double>(kVocabSize);
    const double sum = of_model + of_uniform;
    const double posterior = of_uniform / sum;
    uniform_ = posterior + rate_ * (1 - 2 * posterior);
    return static_cast<float>(-std::log(sum));
  }

 private:
  static constexpr double kFirstUniform = 0.01;

  double rate_, uniform_;
};

}  // namespace slm
