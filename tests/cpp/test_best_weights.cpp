// Which evaluation is the best, when a run stops for want of a better one, and what it then
// restores.
#include <limits>

#include "fit_case.h"
#include "model_impl.h"
#include "train/best_weights.h"

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Best {
  // The loss of the step after the latest one, with weights that are all `weight`.
  bool add(double loss, float weight) {
    ++state.step;
    for (const slm::TensorInfo& tensor : model.tensors()) {
      const std::vector<float> values(static_cast<size_t>(tensor.size), weight);
      model.set_parameter(tensor.name, values.data(), tensor.size);
    }
    return weights.add(loss, slm::impl_of(model));
  }
  float restored() {
    weights.restore(slm::impl_of(model));
    return parameters(model).front();
  }

  Model model{tiny()};
  slm::RunState state;
  slm::BestWeights weights{state, 2};
};

void test_lowest_loss_is_kept() {
  Best best;
  CHECK(best.weights.empty());
  CHECK(!best.add(kNan, 1));
  CHECK(best.weights.empty());
  CHECK_EQ(best.weights.step(), 1);  // the latest
  CHECK(best.add(2.0, 2));
  CHECK(best.add(1.5, 3));
  CHECK(!best.add(1.5, 4));
  CHECK(!best.add(kNan, 5));
  CHECK_EQ(best.weights.step(), 3);
  CHECK_EQ(best.state.best_loss, 1.5);
  CHECK_EQ(best.restored(), 3.0f);
}

void test_patience() {
  Best best;
  CHECK(best.add(2.0, 1));
  CHECK(!best.add(2.5, 1));
  CHECK(!best.weights.should_stop());
  CHECK(!best.add(2.5, 1));
  CHECK(best.weights.should_stop());
  CHECK(best.add(1.0, 1));
  CHECK(!best.weights.should_stop());
  slm::BestWeights endless(best.state, 0);
  best.state.since_best = 1000;
  CHECK(!endless.should_stop());
}

void test_overfitting_note() {
  Best best;
  CHECK_EQ(best.weights.overfitting_note(9), "");
  best.add(2.0, 1);
  best.add(3.0, 2);
  CHECK_EQ(best.weights.overfitting_note(2.019), "");
  CHECK(!best.weights.overfitting_note(2.021).empty());
  CHECK_EQ(best.weights.overfitting_note(kNan), "");
  const std::string note = best.weights.overfitting_note(3.0);
  for (const char* part : {"best at step 1 of 2", "2.000", "3.000", "the weights of step 1",
                           "a smaller model", "slm train --from", "slm.load(...).train(...)"})
    CHECK(note.find(part) != std::string::npos);
  CHECK(note.find("first evaluation") == std::string::npos);
  best.state.evaluations.resize(2);
  best.state.evaluations[0].step = 1;
  CHECK(best.weights.overfitting_note(3.0).find("first evaluation") != std::string::npos);

  Best sure;  // of its text: less than 0.01 nats are a trifle, whatever their share
  sure.add(0.001, 1);
  CHECK_EQ(sure.weights.overfitting_note(0.0109), "");
  CHECK(!sure.weights.overfitting_note(0.0111).empty());
}

}  // namespace

int main() {
  test_lowest_loss_is_kept();
  test_patience();
  test_overfitting_note();
  return test_result();
}
