// Scoring while learning: what is learned from, when, and by whom it is kept.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "check.h"
#include "model_impl.h"
#include "slm/slm.h"
#include "train/dynamic_evaluation.h"

using slm::ErrorKind;
using slm::Model;
using slm::Score;
using Floats = std::vector<float>;

namespace {

Model make_model(int threads = 1) {
  slm::Preset preset;
  preset.config.cell = slm::Cell::gated;
  preset.config.embed_dim = 24;
  preset.config.state_dim = 20;
  preset.config.residual = true;
  preset.config.norm = slm::Norm::rms;
  preset.config.ngram_orders = {3, 4};
  preset.config.ngram_buckets = 512;
  preset.config.match_lengths = {3};
  preset.config.match_span = 70;
  preset.train_config.dropout = 0.5f;  // of training alone
  return Model(preset, {3, "cpu", threads});
}

std::string make_text() {
  std::string text;
  for (int i = 0; i < 150; ++i) text += std::to_string(i * i) + (i % 7 ? " " : ",\n");
  return text;
}

const std::string kText = make_text();
const slm::DynamicEvaluationOptions kOptions;
const auto kWindow = static_cast<size_t>(kOptions.window);

const uint8_t* bytes(const std::string& text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

Floats parameters(const Model& model) {
  Floats out(static_cast<size_t>(model.num_parameters()));
  model.parameters(out.data());
  return out;
}

struct Read {
  Score score;
  Floats log_probs;
};

template <typename Reader>
Read read_by(const std::string& text, Reader reader) {
  Read out;
  out.log_probs.resize(text.size());
  out.score = reader(bytes(text), text.size(), out.log_probs.data());
  return out;
}

Read adapting(const Model& model, const std::string& text) {
  return read_by(text, [&](auto... a) { return model.score_adapting(a...); });
}

double cost(const Floats& log_probs, size_t begin, size_t end) {
  return -std::accumulate(log_probs.begin() + static_cast<long>(begin),
                          log_probs.begin() + static_cast<long>(end), 0.0);
}

void test_scores_before_it_learns() {
  const Model model = make_model();
  const Floats before = parameters(model);
  const Read learning = adapting(model, kText);
  const Read plain = read_by(kText, [&](auto... a) { return model.score(a...); });
  for (size_t i = 0; i < kWindow; ++i) CHECK_EQ(learning.log_probs[i], plain.log_probs[i]);
  CHECK(learning.log_probs[kWindow] != plain.log_probs[kWindow]);
  CHECK(parameters(model) == before);

  // No byte knows what comes after its own window.
  std::string other = kText;
  other.replace(3 * kWindow, std::string::npos, other.size() - 3 * kWindow, 'x');
  const Floats same = adapting(model, other).log_probs;
  CHECK(std::equal(same.begin(), same.begin() + static_cast<long>(3 * kWindow),
                   learning.log_probs.begin()));
  CHECK_NEAR(learning.score.nats_per_byte,
             cost(learning.log_probs, 0, kText.size()) / static_cast<double>(kText.size()), 1e-12);
  CHECK_EQ(learning.score.num_bytes, kText.size());
}

// A walk by hand: windows of one stream, each by the weights that the window before left.
void test_against_steps() {
  const std::string text = kText.substr(0, 2 * kWindow + 5);
  Model model = make_model();
  const Read learning = adapting(model, text);
  slm::TrainConfig how;
  how.beta2 = kOptions.beta2;
  how.weight_decay = 0;
  how.warmup_steps = 0;
  how.schedule = slm::Schedule::constant;
  how.learning_rate = kOptions.learning_rate;
  how.table_lr_scale = kOptions.table_lr_scale;
  slm::Trainer trainer(model, how);
  slm::State state = model.new_state();
  const std::string all = "\n" + text;
  for (size_t at = 0; at < text.size(); at += kWindow) {
    const size_t count = std::min(kWindow, text.size() - at);
    const float loss =
        trainer.step(bytes(all) + at, bytes(all) + at + 1, static_cast<int64_t>(count), 1, &state);
    CHECK_NEAR(loss, cost(learning.log_probs, at, at + count) / static_cast<double>(count), 1e-6);
  }
  Model kept = make_model();
  kept.adapt(bytes(text), text.size());
  CHECK(parameters(kept) == parameters(model));
}

void test_what_comes_again_is_cheaper() {
  const Model model = make_model();
  const size_t size = kText.size();
  slm::DynamicEvaluationOptions fast;  // a model that knows nothing has much to learn
  fast.learning_rate = 1e-3f;
  fast.table_lr_scale = 3;
  const Floats thrice = read_by(kText + kText + kText, [&](auto... a) {
                          return slm::evaluate_dynamically(slm::impl_of(model), a..., fast).score;
                        }).log_probs;
  const double first = cost(thrice, 0, size), second = cost(thrice, size, 2 * size);
  CHECK(second < 0.95 * first);
  CHECK(cost(thrice, 2 * size, 3 * size) < 0.9 * second);
  CHECK(first < model.score(kText).nats_per_byte * static_cast<double>(size));
}

void test_keeps_what_it_learns() {
  Model model = make_model();
  const Model untouched = make_model();
  const Floats before = parameters(model);
  const Read expected = adapting(model, kText);
  const Read kept = read_by(kText, [&](auto... a) { return model.adapt(a...); });
  CHECK(kept.log_probs == expected.log_probs);
  CHECK_EQ(kept.score.nats_per_byte, expected.score.nats_per_byte);
  CHECK(parameters(model) != before);
  CHECK(model.score(kText).nats_per_byte < untouched.score(kText).nats_per_byte);
  CHECK_EQ(model.train_config().steps, slm::TrainConfig{}.steps);
  // The layouts that the kernels read have been learned too.
  CHECK(adapting(model, kText).score.nats_per_byte < expected.score.nats_per_byte);
}

void test_threads() {
  const Read one = adapting(make_model(1), kText);
  for (const int threads : {2, 5}) {
    const Read many = adapting(make_model(threads), kText);
    CHECK_EQ(std::memcmp(one.log_probs.data(), many.log_probs.data(),
                         one.log_probs.size() * sizeof(float)),
             0);
  }
}

void test_errors() {
  Model model = make_model();
  CHECK_THROWS(ErrorKind::config, "is empty", model.score_adapting(nullptr, 0));
  CHECK_THROWS(ErrorKind::config, "is empty", model.adapt(nullptr, 0));
  const Floats before = parameters(model);
  {
    const slm::Interrupt interrupt([] { return true; });
    CHECK_THROWS(ErrorKind::cancelled, "stopped", model.adapt(bytes(kText), kText.size()));
  }
  CHECK(parameters(model) == before);

  const Floats huge(static_cast<size_t>(256 * 24), 3e38f);
  model.set_parameter("head.weight", huge.data(), 256 * 24);
  const Floats changed = parameters(model);
  CHECK_THROWS(ErrorKind::training, "is not a finite number",
               model.adapt(bytes(kText), kText.size()));
  CHECK(parameters(model) == changed);
}

}  // namespace

int main() {
  test_scores_before_it_learns();
  test_against_steps();
  test_what_comes_again_is_cheaper();
  test_keeps_what_it_learns();
  test_threads();
  test_errors();
  return test_result();
}
