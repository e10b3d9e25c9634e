// InputNoise on a window's inputs: how much of it, where from, and that a run with it repeats.
#include <algorithm>
#include <cmath>
#include <map>

#include "fit_case.h"
#include "train/input_noise.h"

namespace {

using Bytes = std::vector<uint8_t>;

constexpr int64_t kSeqLen = 500, kBatchSize = 40, kSize = kSeqLen * kBatchSize;

// Bytes from 'a' to 'd', the first of which is half of them.
Bytes few_letters() {
  Bytes bytes;
  for (int64_t i = 0; i < kSize; ++i)
    bytes.push_back(static_cast<uint8_t>('a' + (i % 2) * (1 + i / 2 % 3)));
  return bytes;
}

Bytes noisy(const Bytes& inputs, float share, uint64_t seed, uint64_t first) {
  slm::InputNoise noise;
  const Bytes before = inputs, targets(inputs.size());
  const slm::Window window{inputs.data(), targets.data(), kSeqLen, kBatchSize};
  const slm::Window changed = noise.corrupt(window, share, seed, first);
  CHECK(changed.targets == targets.data());
  CHECK(changed.seq_len == kSeqLen && changed.batch_size == kBatchSize);
  CHECK(inputs == before);
  return {changed.inputs, changed.inputs + kSize};
}

void test_share() {
  Bytes marked(kSize);  // every byte differs from those around it, so that what is replaced shows
  for (size_t i = 0; i < marked.size(); ++i) marked[i] = static_cast<uint8_t>(i % 251);
  for (const float share : {0.05f, 0.5f}) {
    const Bytes changed = noisy(marked, share, 1, 0);
    int64_t replaced = 0;
    for (size_t i = 0; i < marked.size(); ++i) replaced += changed[i] != marked[i] ? 1 : 0;
    const double expected = share * kSize * 250 / 251;  // a byte may be replaced by its like
    CHECK_NEAR(static_cast<double>(replaced), expected, 5 * std::sqrt(expected));
  }
  CHECK(noisy(marked, 0, 1, 0) == marked);
}

void test_bytes_come_as_often_as_in_the_window() {
  std::map<uint8_t, int64_t> counts;
  for (const uint8_t byte : noisy(few_letters(), 1, 2, 0)) ++counts[byte];
  CHECK_EQ(counts.size(), 4);
  CHECK_NEAR(static_cast<double>(counts['a']) / kSize, 0.5, 0.02);
  CHECK_NEAR(static_cast<double>(counts['c']) / kSize, 1.0 / 6, 0.02);
}

// It depends on the seed and on the position in the run, and on nothing else.
void test_numbers() {
  const Bytes inputs = few_letters(), once = noisy(inputs, 0.3f, 3, 1000);
  CHECK(once == noisy(inputs, 0.3f, 3, 1000));
  CHECK(once != noisy(inputs, 0.3f, 4, 1000));
  CHECK(once != noisy(inputs, 0.3f, 3, 1001));
}

// The first byte before a text is as it is in use, and the other positions are as without starts.
void test_starts_stay() {
  const Bytes inputs = few_letters(), changed = noisy(inputs, 1, 3, 0);
  Bytes starts(inputs.size());
  for (size_t i = 0; i < starts.size(); i += 7) starts[i] = 1;
  slm::InputNoise noise;
  const slm::Window window =
      noise.corrupt({inputs.data(), nullptr, kSeqLen, kBatchSize, starts.data()}, 1, 3, 0);
  CHECK(window.starts == starts.data());
  Bytes expected = changed;
  for (size_t i = 0; i < starts.size(); i += 7) expected[i] = inputs[i];
  CHECK(expected != changed);
  CHECK(std::equal(expected.begin(), expected.end(), window.inputs));
}

void test_steps_with_noise() {
  slm::Preset preset = tiny();
  preset.train_config.input_noise = 0.3f;
  Model model(preset), by_hand(preset);
  const auto* bytes = reinterpret_cast<const uint8_t*>(kText.data());
  Trainer(model, preset.train_config).step(bytes, bytes + 4, 16, 4);
  slm::InputNoise noise;
  const slm::Window window =
      noise.corrupt({bytes, bytes + 4, 16, 4}, 0.3f, preset.train_config.seed, 0);
  CHECK(!std::equal(bytes, bytes + 64, window.inputs));
  preset.train_config.input_noise = 0;
  Trainer(by_hand, preset.train_config).step(window.inputs, window.targets, 16, 4);
  CHECK(parameters(model) == parameters(by_hand));
}

void test_noise_is_chosen() {
  CHECK_EQ(slm::auto_input_noise(0), 0.0f);
  CHECK_EQ(slm::auto_input_noise(1), 0.0f);
  CHECK_NEAR(slm::auto_input_noise(4), 0.02, 1e-6);
  CHECK_NEAR(slm::auto_input_noise(1e9), 0.025, 1e-6);
  slm::Preset preset = tiny();
  preset.train_config.input_noise = slm::kAutoDropout;
  preset.train_config.steps = 150;
  Model model(preset), same(preset);
  slm::TrainConfig how = preset.train_config;
  const History history = Trainer(model, how).fit(kText);
  const double passes = 150.0 * 16 * 4 / (0.9 * static_cast<double>(kText.size()));
  CHECK_EQ(history.config.input_noise, slm::auto_input_noise(passes));
  CHECK_EQ(model.train_config().input_noise, slm::kAutoDropout);
  how.input_noise = history.config.input_noise;
  CHECK(how.input_noise > 0);
  Trainer(same, how).fit(kText);
  CHECK(parameters(same) == parameters(model));
}

}  // namespace

int main() {
  test_share();
  test_bytes_come_as_often_as_in_the_window();
  test_numbers();
  test_starts_stay();
  test_steps_with_noise();
  test_noise_is_chosen();
  return test_result();
}
