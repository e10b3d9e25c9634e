// Lists of texts and next-byte probabilities in the public API, also of models of documents.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "check.h"
#include "slm/slm.h"

using slm::ErrorKind;
using slm::Model;
using slm::Score;

namespace {

Model make_model(bool documents, float fixed_share = 0) {
  slm::Config config;
  config.embed_dim = 12;
  config.state_dim = 9;
  config.cell = slm::Cell::gated;
  config.norm = slm::Norm::rms;
  config.match_lengths = {2};
  config.documents = documents;
  config.fixed_share = fixed_share;
  return Model(config, {3, "cpu", 1});
}

const uint8_t* bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

std::vector<float> log_probs(const Model& model, std::string_view text) {
  std::vector<float> out(text.size());
  model.score(bytes(text), text.size(), out.data());
  return out;
}

const std::vector<std::string_view> kTexts = {"one line", "", "b\xFF\xFEy", "\xFE", "the last"};

void test_as_alone(bool documents) {
  const Model model = make_model(documents, 1e-3f);
  std::vector<float> alone, together(8 + 4 + 1 + 8);
  for (const std::string_view text : kTexts) {
    if (text.empty()) continue;
    const std::vector<float> values = log_probs(model, text);
    alone.insert(alone.end(), values.begin(), values.end());
  }
  const std::vector<Score> scores = model.score_many(kTexts, together.data());
  CHECK(alone == together);
  CHECK_EQ(scores.size(), kTexts.size());
  for (size_t i = 0; i < kTexts.size(); ++i) {
    CHECK_EQ(scores[i].num_bytes, kTexts[i].size());
    if (kTexts[i].empty())
      CHECK(std::isnan(scores[i].nats_per_byte));
    else
      CHECK_EQ(scores[i].nats_per_byte, model.score(kTexts[i]).nats_per_byte);
  }
  CHECK_EQ(model.score_many(kTexts)[4].nats_per_byte, scores[4].nats_per_byte);
  CHECK(model.score_many({}).empty());
}

// A model of documents reads escapes, but speaks of bytes.
void test_escaped() {
  const Model model = make_model(true), plain = make_model(false);
  const std::vector<float> symbols = log_probs(plain, "b\xFE\xFF\xFE\xFEy");
  const std::vector<float> expected = {symbols[0], symbols[1] + symbols[2], symbols[3] + symbols[4],
                                       symbols[5]};
  CHECK(log_probs(model, "b\xFF\xFEy") == expected);
  const Score score = model.score("b\xFF\xFEy");
  CHECK_EQ(score.num_bytes, 4);
  CHECK_NEAR(score.nats_per_byte, -std::accumulate(expected.begin(), expected.end(), 0.0) / 4,
             1e-6);
  CHECK_NEAR(score.perplexity, std::exp(score.nats_per_byte), 1e-9);
  CHECK_EQ(model.score("plain").nats_per_byte, plain.score("plain").nats_per_byte);
  std::vector<float> adapted(4);
  Model learner = make_model(true);
  CHECK_EQ(learner.adapt(bytes("b\xFF\xFEy"), 4, adapted.data()).num_bytes, 4);
  CHECK_NEAR(adapted[1], expected[1], 1e-5);
}

void test_next_byte() {
  const Model model = make_model(false, 0.2f), alone = make_model(false);
  std::string long_prefix;
  for (int i = 0; i < 1500; ++i) long_prefix += static_cast<char>(i * i / 7);
  for (const std::string& prefix : {std::string(), std::string("to \xFF"), long_prefix}) {
    const std::vector<double> probs = model.next_byte_probs(prefix);
    CHECK_EQ(probs.size(), 256);
    CHECK_NEAR(std::accumulate(probs.begin(), probs.end(), 0.0), 1, 1e-12);
    for (const char next : {'\n', 'e', '\xFF'})
      CHECK_NEAR(std::log(probs[static_cast<uint8_t>(next)]),
                 double{log_probs(alone, prefix + next).back()}, 1e-5);
  }
  CHECK(model.next_byte_probs() == model.next_byte_probs(""));
}

void test_next_byte_of_a_document() {
  const Model model = make_model(true), plain = make_model(false);
  const std::vector<double> probs = model.next_byte_probs("a\xFE");
  const std::vector<double> symbols = plain.next_byte_probs("a\xFE\xFE");
  const std::vector<double> escaped = plain.next_byte_probs("a\xFE\xFE\xFE");
  for (size_t b = 0; b < 256; ++b) {
    const double itself = b < 0xFE ? symbols[b] : 0;
    CHECK_NEAR(probs[b], itself + symbols[0xFE] * escaped[b], 1e-12);
  }
  CHECK_NEAR(std::accumulate(probs.begin(), probs.end(), 0.0), 1 - symbols[0xFF], 1e-12);
}

void test_errors() {
  Model model = make_model(false);
  {
    const slm::Interrupt interrupt([] { return true; });
    const std::vector<std::string_view> texts(1000, "a line of a log");
    CHECK_THROWS(ErrorKind::cancelled, "stopped", model.score_many(texts));
  }
  const std::vector<float> huge(size_t{256} * 12, 3e38f);
  model.set_parameter("head.weight", huge.data(), 256 * 12);
  CHECK_THROWS(ErrorKind::training, "bytes 0 to 8 of text 0", model.score_many(kTexts));
  CHECK_THROWS(ErrorKind::training, "after the prefix", model.next_byte_probs("a"));
}

}  // namespace

int main() {
  test_as_alone(false);
  test_as_alone(true);
  test_escaped();
  test_next_byte();
  test_next_byte_of_a_document();
  test_errors();
  return test_result();
}
