// Timing changes nothing but the clock: same losses and weights, timers off afterwards.
#include <vector>

#include "check.h"
#include "pass/profile.h"
#include "slm/slm.h"

namespace {

constexpr int64_t kSeqLen = 40, kBatchSize = 3, kSteps = 3;

slm::Config small_config() {
  slm::Config config;
  config.embed_dim = 12;
  config.state_dim = 20;
  config.num_layers = 3;
  return config;
}

std::vector<float> parameters(const slm::Model& model) {
  std::vector<float> values(static_cast<size_t>(model.num_parameters()));
  model.parameters(values.data());
  return values;
}

// The losses of a few steps with carried state, a score and what is generated afterwards.
struct Outcome {
  std::vector<float> losses;
  double nats = 0;
  std::string text;
};

Outcome use(slm::Model& model) {
  std::vector<uint8_t> bytes((kSeqLen + 1) * kBatchSize);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i % 251);
  Outcome outcome;
  slm::Trainer trainer(model, slm::TrainConfig{});
  slm::State state = model.new_state(kBatchSize);
  for (int64_t i = 0; i < kSteps; ++i)
    outcome.losses.push_back(
        trainer.step(bytes.data(), bytes.data() + kBatchSize, kSeqLen, kBatchSize, &state));
  outcome.nats = model.score(bytes.data(), bytes.size()).nats_per_byte;
  outcome.text = slm::Generator(model).generate("so", 20);
  return outcome;
}

void test_same_bits() {
  slm::Model plain(small_config()), timed(small_config());
  const Outcome expected = use(plain);
  Outcome got;
  const slm::Phases phases = slm::profile([&] { got = use(timed); });
  CHECK(got.losses == expected.losses);
  CHECK_EQ(got.nats, expected.nats);
  CHECK_EQ(got.text, expected.text);
  CHECK(parameters(timed) == parameters(plain));
  CHECK(!slm::is_profiling());

  for (const char* name :
       {"embed_forward", "layer_forward", "head_loss", "layer_backward", "embed_backward",
        "add_losses", "update", "read_update_result", "params_changed"}) {
    const auto phase = phases.find(name);
    CHECK(phase != phases.end() && phase->second > 0);
  }
}

void test_a_timer_is_off_outside() {
  const slm::ScopedTimer timer("nothing");
  CHECK(slm::profile([] {}).empty());
}

void test_operations_follow_each_other() {
  const slm::Phases phases = slm::profile([] {
    slm::ScopedTimer timer("first");
    timer.next("second");
  });
  CHECK_EQ(phases.size(), size_t{2});
  CHECK_EQ(phases.count("first") + phases.count("second"), size_t{2});
}

void test_off_after_an_exception() {
  CHECK_THROWS(slm::ErrorKind::cancelled, "stop", slm::profile([] {
                 const slm::ScopedTimer timer("stopped");
                 throw slm::Error(slm::ErrorKind::cancelled, "stop");
               }));
  CHECK(!slm::is_profiling());
}

}  // namespace

int main() {
  test_same_bits();
  test_a_timer_is_off_outside();
  test_operations_follow_each_other();
  test_off_after_an_exception();
  return test_result();
}
