// A training pass with recomputed segments, against one that keeps everything: the same bits. And
// what long windows add up to.
#include <cmath>

#include "check.h"
#include "model_impl.h"
#include "run_pass.h"
#include "slm/trainer.h"
#include "util/memory_count.h"

namespace {

using slm::Model;

void test_recompute(const slm::Config& config, int64_t seq_len, int64_t batch_size) {
  const Model model = make_model(config);
  const Result kept = run(model, seq_len, batch_size, false);
  const Result recomputed = run(model, seq_len, batch_size, true);
  CHECK_EQ(kept.loss, recomputed.loss);
  CHECK(same_bits(kept.gradients, recomputed.gradients));
  CHECK(same_bits(kept.state, recomputed.state));
}

void test_recompute_takes_less_memory() {
  const Model model = make_model(small());
  const slm::TrainConfig how;
  const auto bytes = [&](int64_t seq_len, bool recompute) {
    return slm::count_bytes([&] {
      const slm::TrainingPass pass(slm::impl_of(model), seq_len, how.batch_size, recompute);
    });
  };
  CHECK(bytes(4096, true) * 4 < bytes(4096, false));
  // Sixteen times the window is four times the memory, and not sixteen.
  CHECK(bytes(65536, true) < 6 * bytes(4096, true));
  CHECK_EQ(bytes(1, true), bytes(1, false));
  // Model::memory reports what a training pass allocates.
  CHECK_EQ(model.memory().window, bytes(how.seq_len, false));
  CHECK_EQ(model.memory().optimizer, 3 * 4 * model.num_parameters());
  slm::TrainConfig bounded;
  bounded.max_spectral_radius = 0.9f;
  Model other = make_model(small());
  other.set_train_config(bounded);
  CHECK_EQ(other.memory().optimizer, 4 * (3 * model.num_parameters() + 3 * 20 * 20));
  CHECK(model.memory().weights >= 3 * 4 * model.num_parameters() - 4 * 256 * 9);
}

// Row-wise RMSprop keeps two values for each row of an n-gram table. The sparse gradient of a row
// refers to the embedding's gradient at its position, which is kept once for all tables, or is a
// sum of its own; there are at most half as many sums as positions.
void test_rows_take_little_memory() {
  slm::Config config = small();
  const int64_t before = make_model(config).memory().optimizer;
  config.ngram_orders = {3};
  config.ngram_buckets = 1 << 16;
  const slm::TrainConfig how;
  const int64_t positions = how.seq_len * how.batch_size, row = 4 * config.embed_dim;
  const int64_t slot = 2 * 4 + 2 * sizeof(float*);
  CHECK(positions < config.ngram_buckets);
  const int64_t one = 3 * 4 * config.ngram_buckets + positions * slot + positions / 2 * row;
  CHECK_EQ(make_model(config).memory().optimizer - before, one + positions * row);
  config.ngram_orders = {3, 4, 5};
  CHECK_EQ(make_model(config).memory().optimizer - before, 3 * one + positions * row);
  config.ngram_orders = {3};
  config.ngram_buckets = 16;
  CHECK_EQ(make_model(config).memory().optimizer - before,
           16 * (3 * 4 + slot + row) + positions * row);
}

void test_threads_do_not_change_small_batches(const slm::Config& config) {
  for (const int64_t batch_size : {1, 2, 3}) {
    const Result one = run(make_model(config, 1), 700, batch_size, false);
    for (const int threads : {2, 5}) {
      const Result many = run(make_model(config, threads), 700, batch_size, false);
      CHECK(same_bits(one.gradients, many.gradients));
      CHECK(same_bits(one.state, many.state));
    }
  }
}

// A million positions of the same 64 bytes, over and over: mean loss and gradient must be those of
// a window that holds them a few times. What differs is how long the sums are.
void test_long_sums_lose_no_accuracy() {
  slm::Config config;
  config.embed_dim = config.state_dim = 8;
  config.num_layers = 1;
  const Model model(config);
  const Bytes pattern = random_bytes(65, 5);
  const auto gradients = [&](int64_t batch_size, Floats& out) {
    constexpr int64_t kSteps = 64;
    Bytes inputs, targets;
    for (int64_t t = 0; t < kSteps; ++t) {
      inputs.insert(inputs.end(), static_cast<size_t>(batch_size), pattern[size_t(t)]);
      targets.insert(targets.end(), static_cast<size_t>(batch_size), pattern[size_t(t) + 1]);
    }
    out.resize(static_cast<size_t>(model.num_parameters()));
    return model.gradients(inputs.data(), targets.data(), kSteps, batch_size, nullptr, out.data());
  };
  Floats few, million;
  CHECK_NEAR(gradients(1, few), gradients(15625, million), 1e-6);
  float largest = 0, difference = 0;
  for (size_t i = 0; i < few.size(); ++i) {
    largest = std::max(largest, std::abs(few[i]));
    difference = std::max(difference, std::abs(few[i] - million[i]));
  }
  CHECK_NEAR(difference / largest, 0, 1e-5);
}

// Model::step computes in the workspace of the state, whose arrays have the sizes of the model that
// made it: a state of any other config is refused, whichever field differs.
void test_state_of_another_model() {
  const slm::Config config = rich();
  Model model = make_model(config);
  slm::Trainer trainer(model, slm::TrainConfig{});
  const uint8_t byte = 0;
  Floats logits(slm::kVocabSize);
  const auto refused = [&](const auto& change) {
    slm::Config other = config;
    change(other);
    slm::State state = make_model(other).new_state();
    CHECK_THROWS(slm::ErrorKind::config, "another config", model.step(&byte, state, logits.data()));
    CHECK_THROWS(slm::ErrorKind::config, "another config",
                 model.logits(&byte, 1, 1, &state, logits.data()));
    CHECK_THROWS(slm::ErrorKind::config, "another config",
                 trainer.step(&byte, &byte, 1, 1, &state));
    slm::State copy = state, moved = std::move(state);
    CHECK_THROWS(slm::ErrorKind::config, "another config", model.step(&byte, copy, logits.data()));
    CHECK_THROWS(slm::ErrorKind::config, "another config", model.step(&byte, moved, logits.data()));
  };
  refused([](slm::Config& c) { c.cell = slm::Cell::dense; });
  refused([](slm::Config& c) { c.init = slm::Init::seed; });
  refused([](slm::Config& c) { c.embed_dim = 10; });
  refused([](slm::Config& c) { c.state_dim = 21; });
  refused([](slm::Config& c) { c.num_layers = 2; });
  refused([](slm::Config& c) { c.residual = false; });
  refused([](slm::Config& c) { c.norm = slm::Norm::none; });
  refused([](slm::Config& c) { c.mlp_dim = 0; });
  refused([](slm::Config& c) { c.tie_embeddings = false; });
  refused([](slm::Config& c) { c.head_bias = false; });
  refused([](slm::Config& c) { c.ngram_orders = {5}; });
  refused([](slm::Config& c) { c.ngram_buckets = 128; });
  refused([](slm::Config& c) { c.ngram_dim = 0; });
  refused([](slm::Config& c) { c.match_lengths = {3}; });
  refused([](slm::Config& c) { c.match_span = 31; });

  // One made by another model of the same config is welcome, whatever else differs; it outlives it.
  Floats own(slm::kVocabSize);
  slm::State state = model.new_state(), other = make_model(config, 1).new_state();
  for (int i = 0; i < 3; ++i) {
    model.step(&byte, state, own.data());
    model.step(&byte, other, logits.data());
    CHECK(same_bits(own, logits));
  }
  CHECK_THROWS(slm::ErrorKind::config, "the state is for 1 texts",
               model.logits(&byte, 1, 2, &other, logits.data()));
}

// Their sizes in bytes would overflow, some of them to something small.
void test_windows_beyond_counting() {
  const Model model = make_model(small());
  const uint8_t byte = 0;
  float out = 0;
  for (const int power : {37, 56, 62}) {
    const int64_t many = int64_t{1} << power;
    const std::string shape = "(1, " + std::to_string(many) + ") has more than the 68719476736";
    CHECK_THROWS(slm::ErrorKind::config, shape, model.new_state(many));
    CHECK_THROWS(slm::ErrorKind::config, shape, model.logits(&byte, 1, many, nullptr, &out));
    CHECK_THROWS(slm::ErrorKind::config, "positions", model.loss(&byte, &byte, many, many));
  }
}

}  // namespace

int main() {
  for (const slm::Config& config : {small(), rich(), wide()}) {
    test_recompute(config, 1, 1);
    test_recompute(config, 1200, 1);
    test_recompute(config, 130, 64);
    test_recompute(config, 257, 16);
    test_threads_do_not_change_small_batches(config);
  }
  test_recompute_takes_less_memory();
  test_rows_take_little_memory();
  test_long_sums_lose_no_accuracy();
  test_state_of_another_model();
  test_windows_beyond_counting();
  return test_result();
}
