// The evaluation protocol against a plain walk through the text, one byte at a time.
#include <algorithm>
#include <cmath>

#include "all_options.h"
#include "check.h"
#include "evaluate/score.h"
#include "model_impl.h"
#include "numerics/philox.h"
#include "slm/slm.h"

using slm::ErrorKind;
using slm::Model;

namespace {

Model make_rich_model(int threads) {
  slm::Config config;
  config.embed_dim = 12;
  config.state_dim = 9;
  config.num_layers = 2;
  config = with_all_options(config);
  config.match_span = 1000;
  Model model(config, {3, "cpu", threads});
  // Tables start at zero, which would hide what index is looked at.
  for (const slm::TensorInfo& info : model.tensors()) {
    if ((info.name.find("ngram.") != 0 && info.name.find("match.") != 0) ||
        info.name.find("projection") != std::string::npos)
      continue;
    const slm::Philox random(8, slm::PhiloxStream::init);
    std::vector<float> values(static_cast<size_t>(info.size));
    for (size_t i = 0; i < values.size(); ++i) values[i] = random.uniform(i) - 0.5f;
    model.set_parameter(info.name, values.data(), info.size);
  }
  return model;
}

Model make_model(int threads) {
  slm::Config config;
  config.embed_dim = 12;
  config.state_dim = 9;
  config.num_layers = 2;
  return Model(config, {3, "cpu", threads});
}

std::string make_text(size_t size) {
  const slm::Philox random(5, slm::PhiloxStream::sample);
  std::string text;
  for (size_t i = 0; i < size; ++i) text += static_cast<char>('a' + random.below(20, i));
  return text;
}

const uint8_t* bytes(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

struct Scored {
  std::vector<float> log_probs;
  double nats_per_byte;
};

Scored scored(const Model& model, const std::string& text) {
  std::vector<float> log_probs(text.size());
  const double nats = model.score(bytes(text), text.size(), log_probs.data()).nats_per_byte;
  return {log_probs, nats};
}

double log_prob(const std::vector<float>& logits, uint8_t byte) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  return logits[byte] - top - std::log(sum);
}

std::vector<double> plain_log_probs(const Model& model, const std::string& text) {
  std::vector<double> out;
  std::vector<float> logits(slm::kVocabSize);
  for (size_t begin = 0; begin < text.size(); begin += slm::kScoreSegmentBytes) {
    slm::State state = model.new_state();
    if (begin == 0) model.step(&slm::kFirstByte, state, logits.data());
    for (size_t i = begin == 0 ? 0 : begin - slm::kWarmBytes; i < begin; ++i)
      model.step(bytes(text) + i, state, logits.data());
    for (size_t i = begin; i < std::min(text.size(), begin + slm::kScoreSegmentBytes); ++i) {
      out.push_back(log_prob(logits, static_cast<uint8_t>(text[i])));
      model.step(bytes(text) + i, state, logits.data());
    }
  }
  return out;
}

void test_protocol(const Model& model) {
  const std::string text = make_text(2 * slm::kScoreSegmentBytes + 300);
  const std::vector<double> expected = plain_log_probs(model, text);
  std::vector<float> actual(text.size());
  const slm::Score score = model.score(bytes(text), text.size(), actual.data());
  double sum = 0, worst = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    sum -= expected[i];
    worst = std::max(worst, std::abs(expected[i] - double{actual[i]}));
  }
  CHECK_NEAR(worst, 0, 1e-5);
  CHECK_NEAR(score.nats_per_byte, sum / static_cast<double>(text.size()), 1e-6);
  CHECK_NEAR(score.bits_per_byte, score.nats_per_byte / std::log(2.0), 1e-12);
  CHECK_NEAR(score.perplexity, std::exp(score.nats_per_byte), 1e-9);
  CHECK_EQ(score.num_bytes, text.size());
  CHECK_EQ(model.score(text).nats_per_byte, score.nats_per_byte);
}

// Neither threads nor what else is scored in the same batch or the batches before change a bit.
void test_independence(Model (*make)(int), size_t segments) {
  const std::string text = make_text(segments * slm::kScoreSegmentBytes + 1);
  const Model one = make(1), three = make(3);
  const Scored all = scored(one, text), same = scored(three, text);
  CHECK(all.log_probs == same.log_probs);
  CHECK_EQ(all.nats_per_byte, same.nats_per_byte);
  for (const size_t size :
       {size_t{1}, size_t{255}, size_t{slm::kScoreSegmentBytes},
        size_t{slm::kScoreSegmentBytes} + 1, (segments - 1) * slm::kScoreSegmentBytes + 7}) {
    const std::vector<float> part = scored(one, text.substr(0, size)).log_probs;
    CHECK(std::equal(part.begin(), part.end(), all.log_probs.begin()));
  }
}

void test_errors() {
  Model model = make_model(1);
  CHECK_THROWS(ErrorKind::config, "is empty", model.score(""));
  const slm::TensorInfo& head = model.tensors().back();
  const std::vector<float> huge(static_cast<size_t>(head.size), 3e38f);
  model.set_parameter(head.name, huge.data(), head.size);
  CHECK_THROWS(ErrorKind::training, "bytes 0 to 26", model.score("abcdefghijklmnopqrstuvwxyz"));
}

void test_estimate() {
  const Model model = make_model(1);
  const std::string text = make_text(3 * slm::kScoreSegmentBytes);
  double time = 0;
  const auto clock = [&time] { return time += 0.5; };
  const auto estimate = [&](size_t size, double budget) {
    return slm::estimate_score_seconds(slm::impl_of(model), bytes(text), size, budget, clock);
  };
  // 32 steps take half a second; the rows have 255 + 16384.
  CHECK_NEAR(estimate(text.size(), 0), 0.5 * (255 + 16384) / 32, 1e-9);
  CHECK_NEAR(estimate(text.size(), 4), 0.5 * (255 + 16384) / 32, 1e-9);
  CHECK_NEAR(estimate(16, 4), 0.5, 1e-9);
}

}  // namespace

int main() {
  test_protocol(make_model(1));
  test_protocol(make_rich_model(1));
  test_independence(make_model, 66);  // more than one batch of 64
  test_independence(make_rich_model, 3);
  test_errors();
  test_estimate();
  return test_result();
}
