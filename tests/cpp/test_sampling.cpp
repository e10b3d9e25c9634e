// Design 2.3 on distributions made by hand: which bytes stay, and how often each is drawn.
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "check.h"
#include "numerics/exp.h"
#include "numerics/philox.h"
#include "numerics/sampling.h"

using slm::ErrorKind;
using slm::SampleOptions;

namespace {

using Bytes = std::map<int, double>;  // byte -> probability
using Values = std::vector<float>;

// Logits of a distribution; bytes that it leaves out have a probability of about e^-1000.
Values logits_of(const Bytes& probabilities) {
  Values logits(slm::kVocabSize, -1000.0f);
  for (const auto& [byte, p] : probabilities) {
    logits[static_cast<size_t>(byte)] = static_cast<float>(std::log(p));
  }
  return logits;
}

Values distribution(const Values& logits, const SampleOptions& options,
                    const slm::ByteSet& repeated = {}) {
  Values probs(slm::kVocabSize, NAN);
  const slm::SampleRequest at{0, 0, 0, allowed_bytes(options, {}), repeated};
  slm::next_byte_distribution(logits.data(), options, slm::LogitRules(options), at, probs.data());
  return probs;
}

// Exactly the bytes of `expected` stay, with these probabilities.
void check_kept(const Bytes& from, const SampleOptions& options, const Bytes& expected) {
  const Values probs = distribution(logits_of(from), options);
  for (int byte = 0; byte < slm::kVocabSize; ++byte) {
    const auto found = expected.find(byte);
    const float p = probs[static_cast<size_t>(byte)];
    if (found == expected.end()) {
      CHECK_EQ(p, 0.0f);
    } else {
      CHECK_NEAR(p, found->second, 2e-7);
    }
  }
}

SampleOptions options_of(float temperature, int top_k, float top_p, float min_p = 0) {
  SampleOptions options;
  options.temperature = temperature;
  options.top_k = top_k;
  options.top_p = top_p;
  options.min_p = min_p;
  return options;
}

const Bytes kThree = {{10, 0.3}, {20, 0.5}, {30, 0.2}};
const Bytes kTied = {{7, 0.25}, {50, 0.25}, {99, 0.25}, {200, 0.25}};

void test_nucleus() {
  check_kept(kThree, options_of(1, 0, 0.49f), {{20, 1.0}});
  check_kept(kThree, options_of(1, 0, 0.5f), {{20, 1.0}});  // reached, not crossed
  check_kept(kThree, options_of(1, 0, 0.51f), {{20, 0.625}, {10, 0.375}});
  check_kept(kThree, options_of(1, 0, 0.8f), {{20, 0.625}, {10, 0.375}});
  check_kept(kThree, options_of(1, 0, 0.81f), kThree);
  check_kept(kThree, options_of(1, 0, 1.0f), kThree);
  check_kept(kThree, options_of(1, 0, 1e-30f), {{20, 1.0}});  // never empty
  check_kept(kTied, options_of(1, 0, 0.25f), {{7, 1.0}});
  check_kept(kTied, options_of(1, 0, 0.5f), {{7, 0.5}, {50, 0.5}});
  check_kept(kTied, options_of(1, 0, 0.51f), {{7, 1 / 3.0}, {50, 1 / 3.0}, {99, 1 / 3.0}});

  Bytes ten;
  for (int byte = 0; byte < 10; ++byte) ten[byte * 25] = 0.1;
  for (int kept = 1; kept <= 10; ++kept) {
    const auto probs =
        distribution(logits_of(ten), options_of(1, 0, static_cast<float>(kept) / 10));
    for (int byte = 0; byte < 10; ++byte) {
      CHECK_EQ(probs[static_cast<size_t>(byte * 25)] > 0, byte < kept);
    }
  }
  // The last byte before equal ones at the edge, and a whole uniform alphabet.
  check_kept({{0, 0.4}, {255, 0.3}, {254, 0.3}}, options_of(1, 0, 0.6f),
             {{0, 4 / 7.0}, {254, 3 / 7.0}});
  const Values uniform = distribution(Values(slm::kVocabSize, 3.0f), options_of(1, 0, 0.5f));
  for (size_t byte = 0; byte < uniform.size(); ++byte) {
    CHECK_EQ(uniform[byte], byte < 128 ? 1.0f / 128 : 0.0f);
  }
}

void test_top_k() {
  check_kept(kThree, options_of(1, 1, 1), {{20, 1.0}});
  check_kept(kThree, options_of(1, 2, 1), {{20, 0.625}, {10, 0.375}});
  check_kept(kTied, options_of(1, 3, 1), {{7, 1 / 3.0}, {50, 1 / 3.0}, {99, 1 / 3.0}});
  check_kept(kThree, options_of(1, 1000, 1), kThree);
}

void test_min_p() {
  check_kept(kThree, options_of(1, 0, 1, 0.39f), kThree);
  check_kept(kThree, options_of(1, 0, 1, 0.4f), kThree);  // at the bound, not below it
  check_kept(kThree, options_of(1, 0, 1, 0.41f), {{20, 0.625}, {10, 0.375}});
  check_kept(kThree, options_of(1, 0, 1, 1.0f), {{20, 1.0}});
  check_kept(kTied, options_of(1, 0, 1, 1.0f), kTied);
}

// Each case comes out differently if two stages change places.
void test_order() {
  // top_k first: of {0.625, 0.375} the first byte reaches 0.6; of {0.5, 0.3, 0.2} it does not.
  check_kept(kThree, options_of(1, 2, 0.6f), {{20, 1.0}});
  // Temperature first: squared and renormalized, the first byte has 0.25 / 0.38 = 0.658.
  check_kept(kThree, options_of(0.5f, 0, 0.65f), {{20, 1.0}});
  check_kept(kThree, options_of(0.5f, 0, 1, 0.4f), {{20, 1.0}});
  // Nucleus before min_p: min_p first would renormalize to {0.625, 0.375}, and 0.6 keep one byte.
  check_kept(kThree, options_of(1, 0, 0.6f, 0.41f), {{20, 0.625}, {10, 0.375}});
}

void test_temperature() {
  check_kept(kThree, options_of(0, 0, 1), {{20, 1.0}});
  check_kept(kTied, options_of(0, 0, 1), {{7, 1.0}});
  check_kept(kThree, options_of(std::numeric_limits<float>::denorm_min(), 0, 1), {{20, 1.0}});
  check_kept(kTied, options_of(std::numeric_limits<float>::min(), 0, 1), kTied);

  Values huge(slm::kVocabSize, std::numeric_limits<float>::lowest());
  huge[3] = std::numeric_limits<float>::max();
  for (const float temperature : {0.0f, 1e-30f, 1.0f, 1e30f}) {
    CHECK_EQ(distribution(huge, options_of(temperature, 0, 1))[3], 1.0f);
  }
  const auto flat =
      distribution(logits_of(kThree), options_of(std::numeric_limits<float>::max(), 0, 1));
  for (const float p : flat) CHECK_EQ(p, 1.0f / 256);
}

// Each option alone, and then all together, on logits of every size and sign.
void test_adjusted_logits() {
  Values logits(slm::kVocabSize);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = static_cast<float>(static_cast<int>(i * 37 % 256) - 128) * 0.03f;
  const float ban = -std::numeric_limits<float>::infinity();
  const slm::ByteSet repeated(" etaoin\x80\xff");
  SampleOptions all;
  all.temperature = 0.8f;
  all.allowed = slm::ByteSet("abcdefghi \x80\xff");
  all.repetition_penalty = 1.7f;
  all.logit_bias = {{'a', 2.5f}, {'e', -3.0f}, {'b', ban}, {'z', 9.0f}};
  SampleOptions allowed, penalty, bias;
  allowed.allowed = all.allowed;
  penalty.repetition_penalty = all.repetition_penalty;
  bias.logit_bias = all.logit_bias;
  for (const SampleOptions& options : {SampleOptions{}, allowed, penalty, bias, all}) {
    std::vector<double> weights(slm::kVocabSize);
    double sum = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      const auto byte = static_cast<uint8_t>(i);
      double logit = logits[i];
      if (repeated.has(byte))
        logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
      const auto found = options.logit_bias.find(byte);
      if (found != options.logit_bias.end()) logit += double{found->second};
      const bool kept = !options.allowed || options.allowed->has(byte);
      weights[i] = kept ? std::exp(logit / options.temperature) : 0;
      sum += weights[i];
    }
    const Values probs = distribution(logits, options, repeated);
    for (size_t i = 0; i < weights.size(); ++i) CHECK_NEAR(probs[i], weights[i] / sum, 1e-7);
    for (size_t i = 0; i < weights.size(); ++i) CHECK_EQ(probs[i] == 0, weights[i] == 0);
    SampleOptions greedy = options;
    greedy.temperature = 0;
    const auto best = std::max_element(weights.begin(), weights.end()) - weights.begin();
    CHECK_EQ(distribution(logits, greedy, repeated)[static_cast<size_t>(best)], 1.0f);
  }
}

// The largest values that are allowed.
void test_extreme_adjustments() {
  const float max = std::numeric_limits<float>::max();
  Values logits(slm::kVocabSize, 0.0f);
  logits['a'] = max;
  logits['b'] = -max;
  SampleOptions options;
  options.logit_bias = {{'a', max}, {'b', -max}};
  for (const float penalty : {max, 1e-38f}) {
    options.repetition_penalty = penalty;
    for (const float probability : distribution(logits, options, slm::ByteSet::all()))
      CHECK(std::isfinite(probability));
    CHECK_EQ(distribution(logits, options)['a'], 1.0f);
  }
}

void test_errors() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, inf, -inf}) {
    for (const float temperature : {0.0f, 1.0f}) {
      Values logits(slm::kVocabSize, 0.0f);
      logits[65] = bad;
      CHECK_THROWS(ErrorKind::training, "logit for byte 65 is",
                   distribution(logits, options_of(temperature, 0, 1)));
    }
  }
  const auto refused = [](const char* sentence, const SampleOptions& options) {
    CHECK_THROWS(ErrorKind::config, sentence, slm::validate(options));
  };
  slm::validate(SampleOptions{});
  for (const float bad : {-0.1f, nan, inf}) refused("temperature is ", options_of(bad, 0, 1));
  refused("top_k is -1", options_of(1, -1, 1));
  for (const float bad : {0.0f, -0.5f, 1.5f, nan}) refused("top_p is ", options_of(1, 0, bad));
  for (const float bad : {-0.1f, 1.1f, nan}) refused("min_p is ", options_of(1, 0, 1, bad));
  SampleOptions options;
  options.stop = {"a", ""};
  refused("a stop string is empty", options);
  options = {};
  options.allowed = slm::ByteSet();
  refused("allowed is empty", options);
  for (const float bad : {0.0f, -1.0f, nan, inf}) {
    options = {};
    options.repetition_penalty = bad;
    refused("repetition_penalty is ", options);
  }
  for (const float bad : {nan, inf}) {
    options = {};
    options.logit_bias[65] = bad;
    refused("the logit_bias of byte 65 is ", options);
  }
}

void test_draw() {
  Values probs(slm::kVocabSize, 0.0f);
  probs[4] = 0.25f;
  probs[9] = 0.5f;
  probs[200] = 0.25f;
  const double below_one = 1 - 1.0 / 9007199254740992.0;
  CHECK_EQ(slm::sample_byte(probs.data(), 0.0), 4);
  CHECK_EQ(slm::sample_byte(probs.data(), 0.2499999), 4);
  CHECK_EQ(slm::sample_byte(probs.data(), 0.25), 9);
  CHECK_EQ(slm::sample_byte(probs.data(), 0.7499999), 9);
  CHECK_EQ(slm::sample_byte(probs.data(), 0.75), 200);
  CHECK_EQ(slm::sample_byte(probs.data(), below_one), 200);
}

// Pearson's statistic of 10^5 draws against the distribution asked for.
void test_frequencies() {
  Values logits(slm::kVocabSize);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 16) * 0.25f;
  const Values probs = distribution(logits, options_of(0.8f, 0, 1));
  const slm::Philox random(1234, slm::PhiloxStream::sample, 5);
  constexpr int kDraws = 100000;
  std::vector<int> counts(slm::kVocabSize);
  for (int i = 0; i < kDraws; ++i) {
    ++counts[slm::sample_byte(probs.data(), random.uniform_double(static_cast<uint64_t>(i)))];
  }
  double statistic = 0;
  for (size_t i = 0; i < probs.size(); ++i) {
    const double expected = static_cast<double>(probs[i]) * kDraws;
    statistic += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  CHECK(statistic < 347.7);  // chi-square with 255 degrees of freedom, p = 1e-4
  CHECK(statistic > 179.4);  // too even is as wrong: p = 1 - 1e-4
}

void test_exp() {
  for (double x = 0; x > -700; x -= 0.37) {
    CHECK_NEAR(slm::exp_nonpositive(x) / std::exp(x), 1.0, 1e-15);
  }
  CHECK_EQ(slm::exp_nonpositive(0), 1.0);
  CHECK_EQ(slm::exp_nonpositive(-1e300), 0.0);
  CHECK_EQ(slm::exp_nonpositive(-std::numeric_limits<double>::infinity()), 0.0);
}

}  // namespace

int main() {
  test_nucleus();
  test_top_k();
  test_min_p();
  test_order();
  test_temperature();
  test_adjusted_logits();
  test_extreme_adjustments();
  test_errors();
  test_draw();
  test_frequencies();
  test_exp();
  return test_result();
}
