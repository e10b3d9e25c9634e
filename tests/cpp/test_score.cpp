// The evaluation protocol against a plain walk through the text, one byte at a time.
#include <algorithm>
#include <cmath>

#include "all_options.h"
#include "check.h"
#include "evaluate/fixed_share.h"
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
  config.fixed_share = 0.02f;
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
    slm::FixedShare mixture(model.config().fixed_share);
    const size_t origin = begin == 0 ? 0 : begin - slm::kWarmBytes + 1;
    for (size_t i = origin; i < std::min(text.size(), begin + slm::kScoreSegmentBytes); ++i) {
      model.step(i == 0 ? &slm::kFirstByte : bytes(text) + i - 1, state, logits.data());
      const double alone = log_prob(logits, static_cast<uint8_t>(text[i]));
      const double mixed = -mixture.loss(static_cast<float>(-alone));
      if (i >= begin) out.push_back(mixed);
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

std::vector<std::string> make_texts(size_t count) {
  const std::string text = make_text(2 * slm::kScoreSegmentBytes + 300);
  std::vector<std::string> texts = {text.substr(0, 1), "", text};
  while (texts.size() < count) texts.push_back(text.substr(0, 37 * texts.size() % 401));
  return texts;
}

// Texts of one batch do not know of each other: each has the bits that it has alone.
void test_texts(Model (*make)(int), size_t count) {
  const std::vector<std::string> texts = make_texts(count);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  const Model one = make(1), three = make(3);
  std::vector<float> all;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const Scored alone = scored(one, text);
    all.insert(all.end(), alone.log_probs.begin(), alone.log_probs.end());
  }
  for (const Model* model : {&one, &three}) {
    std::vector<float> log_probs(all.size());
    const auto scores = slm::score_texts(slm::impl_of(*model), views, log_probs.data());
    CHECK(log_probs == all);
    CHECK_EQ(scores.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) {
      CHECK_EQ(scores[i].num_bytes, texts[i].size());
      if (texts[i].empty())
        CHECK(std::isnan(scores[i].nats_per_byte) && std::isnan(scores[i].bits_per_byte));
      else
        CHECK_EQ(scores[i].nats_per_byte, one.score(texts[i]).nats_per_byte);
    }
  }
  CHECK(slm::score_texts(slm::impl_of(one), {}, nullptr).empty());
}

// A document's end is one more byte of it, and an escaped end is none.
void test_documents(const Model& model, size_t count) {
  std::vector<std::string> documents;
  for (const std::string& text : make_texts(count)) documents.push_back(text + '\xFF');
  documents[0] = "a\xFE\xFF\xFE\xFE\xFF";
  documents.emplace_back("cut off before its end");
  std::string encoded;
  double nats = 0;
  for (const std::string& document : documents) {
    encoded += document;
    nats += model.score(document).nats_per_byte * static_cast<double>(document.size());
  }
  const slm::Score score = slm::score_documents(slm::impl_of(model), encoded);
  CHECK_EQ(score.num_bytes, encoded.size());
  CHECK_NEAR(score.nats_per_byte, nats / static_cast<double>(encoded.size()), 1e-12);
}

void test_errors() {
  Model model = make_model(1);
  CHECK_THROWS(ErrorKind::config, "is empty", model.score(""));
  CHECK_THROWS(ErrorKind::config, "is empty", slm::score_documents(slm::impl_of(model), ""));
  const slm::TensorInfo& head = model.tensors().back();
  const std::vector<float> huge(static_cast<size_t>(head.size), 3e38f);
  model.set_parameter(head.name, huge.data(), head.size);
  CHECK_THROWS(ErrorKind::training, "bytes 0 to 26", model.score("abcdefghijklmnopqrstuvwxyz"));
  CHECK_THROWS(ErrorKind::training, "bytes 0 to 2 of text 1",
               slm::score_texts(slm::impl_of(model), {"", "ab", "cd"}, nullptr));
  CHECK_THROWS(ErrorKind::training, "bytes 0 to 2 of document 0",
               slm::score_documents(slm::impl_of(model), "a\xFF"));
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
  test_texts(make_model, 200);
  test_texts(make_rich_model, 200);
  test_documents(make_model(1), 200);
  test_documents(make_rich_model(1), 50);
  test_errors();
  test_estimate();
  return test_result();
}
