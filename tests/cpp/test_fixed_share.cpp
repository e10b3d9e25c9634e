// The mixture behind bounded scores, against its definition: a sum over all ways to switch.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "evaluate/fixed_share.h"
#include "slm/slm.h"

using slm::FixedShare;
using slm::Model;

namespace {

constexpr double kUniform = 1.0 / 256;

// p of bytes of which the model says `probs`: the sum over all sequences of experts, of which one
// begins with the weights of a new mixture and switches at each byte with probability `rate`.
double by_definition(const std::vector<double>& probs, double rate) {
  const double first = FixedShare(rate).uniform();
  double sum = 0;
  for (unsigned path = 0; path < 1U << probs.size(); ++path) {
    double p = 1;
    bool before = false;
    for (size_t i = 0; i < probs.size(); ++i) {
      const bool uniform = (path >> i & 1U) != 0;
      double prior = uniform ? first : 1 - first;
      if (i > 0) prior = uniform == before ? 1 - rate : rate;
      p *= prior * (uniform ? kUniform : probs[i]);
      before = uniform;
    }
    sum += p;
  }
  return sum;
}

void test_against_definition() {
  const std::vector<double> probs = {0.3, 1e-9, 2e-7, 1e-4, 0.9, 0.99, 0.5, 1e-12, 0.02, 0.7};
  for (const double rate : {2e-4, 0.1, 0.5}) {
    FixedShare mixture(rate);
    double log_prob = 0;
    for (const double p : probs) log_prob -= double{mixture.loss(static_cast<float>(-std::log(p)))};
    CHECK_NEAR(log_prob, std::log(by_definition(probs, rate)), 1e-5);
  }
}

void test_off() {
  FixedShare off(0);
  for (const float loss : {0.0f, 1.2345678f, 700.0f}) CHECK_EQ(off.loss(loss), loss);
  CHECK_EQ(off.uniform(), 0.0);
}

void test_bounds() {
  // Far from the model, 8 bits and the logarithm of the first weight in all.
  const double rate = 2e-4, bits = std::log(2.0);
  FixedShare mixture(rate);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) sum += double{mixture.loss(30)};
  CHECK(sum < 1000 * (8 * bits + rate * 1.01) - std::log(0.01));
  // Back at what it knows, within a few bytes the mixture costs next to nothing again.
  for (int i = 0; i < 5; ++i) mixture.loss(0.5f);
  CHECK_NEAR(mixture.loss(0.5f), 0.5, 1.1 * rate);
}

void test_not_finite() {
  FixedShare mixture(0.1);
  CHECK(std::isinf(mixture.loss(INFINITY)));
  CHECK(std::isnan(mixture.loss(NAN)));
  CHECK(std::isfinite(mixture.loss(1)));
}

constexpr float kRate = 0.05f;

// The same weights whatever the rate.
Model tiny_model(float fixed_share) {
  slm::Config config;
  config.embed_dim = 12;
  config.state_dim = 9;
  config.fixed_share = fixed_share;
  return Model(config, {3, "cpu", 1});
}

// After any beginning, the probabilities of the 256 bytes that may follow sum to 1, and they are
// those of the model and the uniform distribution in the mixture's proportion.
void test_next_bytes() {
  const Model plain = tiny_model(0), mixed = tiny_model(kRate);
  for (const std::string& text : {std::string(), std::string("\x01\xF0 what \x80\x81")}) {
    std::vector<float> before(text.size()), own(text.size() + 1), log_probs(text.size() + 1);
    FixedShare mixture(double{kRate});
    if (!text.empty()) {
      plain.score(reinterpret_cast<const uint8_t*>(text.data()), text.size(), before.data());
      for (const float log_prob : before) mixture.loss(-log_prob);
    }
    double sum = 0, worst = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const std::string longer = text + static_cast<char>(byte);
      const auto* data = reinterpret_cast<const uint8_t*>(longer.data());
      plain.score(data, longer.size(), own.data());
      mixed.score(data, longer.size(), log_probs.data());
      const double p = std::exp(double{log_probs.back()});
      const double expected =
          (1 - mixture.uniform()) * std::exp(double{own.back()}) + mixture.uniform() * kUniform;
      worst = std::max(worst, std::abs(p / expected - 1));
      sum += p;
    }
    CHECK_NEAR(sum, 1, 1e-5);
    CHECK_NEAR(worst, 0, 1e-5);
  }
}

// The loss and the logits are those of the model; scores, with or without learning, the mixture's.
void test_where_it_is_used() {
  const Model plain = tiny_model(0), mixed = tiny_model(kRate);
  const std::string text = "To be, or not to be, that is the question: whether 'tis nobler in ...";
  const auto* data = reinterpret_cast<const uint8_t*>(text.data());
  std::vector<float> own(text.size()), log_probs(text.size());
  const auto as_mixed = [&] {
    FixedShare mixture(double{kRate});
    for (float& log_prob : own) log_prob = -mixture.loss(-log_prob);
    return own;
  };
  plain.score(data, text.size(), own.data());
  mixed.score(data, text.size(), log_probs.data());
  CHECK(own != log_probs);
  CHECK(as_mixed() == log_probs);
  plain.score_adapting(data, text.size(), own.data());
  mixed.score_adapting(data, text.size(), log_probs.data());
  CHECK(as_mixed() == log_probs);
  const auto steps = static_cast<int64_t>(text.size()) - 1;
  CHECK_EQ(plain.loss(data, data + 1, steps, 1), mixed.loss(data, data + 1, steps, 1));
}

void test_presets() {
  for (const std::string& name : slm::preset_names())
    CHECK_EQ(slm::preset(name).config.fixed_share > 0, name.find("seed") != 0);
}

}  // namespace

int main() {
  test_against_definition();
  test_off();
  test_bounds();
  test_not_finite();
  test_next_bytes();
  test_where_it_is_used();
  test_presets();
  return test_result();
}
