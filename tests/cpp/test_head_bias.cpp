// The head's bias starts at the log of the byte frequencies of the text, once.
#include <cmath>

#include "fit_case.h"
#include "model_impl.h"
#include "temporary_folder.h"
#include "train/head_bias.h"

namespace {

using Floats = std::vector<float>;

slm::Preset with_bias() {
  slm::Preset preset = tiny();
  preset.config.residual = true;
  preset.config.head_bias = true;
  preset.train_config.steps = 3;
  return preset;
}

// The fit trains on all of the text.
FitOptions whole_text() {
  FitOptions options;
  options.validation_fraction = 0;
  return options;
}

Floats bias_of(const Model& model) {
  const Floats all = parameters(model);
  const auto offset = static_cast<size_t>(slm::TensorTable(model.config()).at("head.bias").offset);
  return Floats(all.begin() + offset, all.begin() + offset + slm::kVocabSize);
}

double total(const std::array<float, slm::kVocabSize>& logs) {
  double sum = 0;
  for (const float log : logs) sum += std::exp(double{log});
  return sum;
}

void test_frequencies() {
  const auto logs = slm::log_byte_frequencies("abaa");
  CHECK_NEAR(logs['a'], std::log((3 + 1.0 / 512) / 4.5), 1e-6);
  CHECK_NEAR(logs['b'], std::log((1 + 1.0 / 512) / 4.5), 1e-6);
  CHECK_NEAR(logs['c'], std::log(1.0 / 512 / 4.5), 1e-6);
  CHECK_NEAR(total(logs), 1, 1e-6);
}

// The blocks reach from the first byte to the last; what lies between them is not counted.
void test_frequencies_of_a_sample() {
  constexpr size_t kMiB = 1 << 20;
  std::string text(66 * kMiB, 'a');
  text.front() = 'b';
  text.back() = 'c';
  text[kMiB + 5] = 'd';  // the second block begins after it
  const auto logs = slm::log_byte_frequencies(text);
  const double mass = 64 * kMiB + 128;
  CHECK_NEAR(logs['b'], std::log(1.5 / mass), 1e-5);
  CHECK_NEAR(logs['c'], std::log(1.5 / mass), 1e-5);
  CHECK_NEAR(logs['d'], std::log(0.5 / mass), 1e-5);
  CHECK_NEAR(total(logs), 1, 1e-5);
}

// A rate so low that the bias stays where it starts; the first loss is near the text's entropy.
void test_first_step() {
  slm::Preset preset = with_bias();
  preset.train_config.learning_rate = 1e-20f;
  Model model(preset);
  CHECK(bias_of(model) == Floats(slm::kVocabSize));
  float first_loss = 0;
  Trainer(model, preset.train_config).fit(kText, whole_text(), [&](const Progress& progress) {
    if (progress.step == 1) first_loss = progress.loss;
    return true;
  });
  const auto logs = slm::log_byte_frequencies(kText);
  CHECK(bias_of(model) == Floats(logs.begin(), logs.end()));
  double entropy = 0;
  for (const float log : logs) entropy -= std::exp(double{log}) * double{log};
  CHECK(first_loss < entropy + 1);
  CHECK(entropy + 1 < std::log(256.0));
}

// A model that has learned keeps what it has; so does one whose bias somebody set.
void test_only_where_it_is_zero() {
  slm::Preset preset = with_bias();
  preset.train_config.learning_rate = 1e-20f;
  Model model(preset);
  Floats own(slm::kVocabSize);
  own['x'] = 2;
  model.set_parameter("head.bias", own.data(), slm::kVocabSize);
  Trainer(model, preset.train_config).fit(kText, whole_text());
  const Floats bias = bias_of(model);
  for (size_t v = 0; v < bias.size(); ++v) CHECK_NEAR(bias[v], own[v], 1e-15);
}

void test_no_decay() {
  slm::Preset preset = with_bias();
  preset.train_config.learning_rate = 1e-20f;
  preset.train_config.weight_decay = 1e19f;
  Model model(preset);
  Trainer(model, preset.train_config).fit(kText, whole_text());
  const auto logs = slm::log_byte_frequencies(kText);
  CHECK(bias_of(model) == Floats(logs.begin(), logs.end()));
}

// A run that ends before its first step leaves the model as it was.
void test_no_step() {
  const slm::Preset preset = with_bias();
  Model model(preset);
  const Floats huge(256 * 12, 3e38f);
  model.set_parameter("head.weight", huge.data(), 256 * 12);
  const Floats before = parameters(model);
  CHECK_THROWS(ErrorKind::training, "the model has the weights of step 0",
               Trainer(model, preset.train_config).fit(kText, whole_text()));
  CHECK(parameters(model) == before);
}

// Stopped before the first step, and resumed: the checkpoint has the bias.
void test_resume() {
  const TemporaryFolder folder("head_bias");
  const slm::Preset preset = with_bias();
  Model model(preset), never_stopped(preset);
  const Floats before = parameters(model);
  FitOptions options = whole_text();
  options.checkpoint = folder.path("run.ckpt.safetensors");
  slm::Trainer::Impl trainer(slm::impl_of(model), preset.train_config);
  slm::Run run(trainer, kText, options, [] { return 0.0; });
  run.save();
  run.restore_best();
  CHECK(parameters(model) == before);
  options.resume = true;
  Trainer(model, preset.train_config).fit(kText, options);
  Trainer(never_stopped, preset.train_config).fit(kText, whole_text());
  CHECK(parameters(model) == parameters(never_stopped));
}

}  // namespace

int main() {
  test_frequencies();
  test_frequencies_of_a_sample();
  test_first_step();
  test_only_where_it_is_zero();
  test_no_decay();
  test_no_step();
  test_resume();
  return test_result();
}
