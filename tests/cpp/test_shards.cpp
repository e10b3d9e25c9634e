// Training windows that are cut into shards of the batch: nothing depends on which thread computes
// which of them, and a step that is stopped inside one leaves nothing behind.
#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "check.h"
#include "model_impl.h"
#include "pass/shard_pass.h"
#include "run_pass.h"
#include "slm/error.h"
#include "train/trainer_impl.h"
#include "util/thread_pool.h"

namespace {

using slm::Model;

int64_t num_shards(const Model& model, int64_t batch_size) {
  return slm::impl_of(model).backend->num_shards(model.config(), batch_size);
}

Floats values_of(const Model& model, const slm::Buffer& buffer) {
  Floats values(static_cast<size_t>(buffer.size()));
  slm::impl_of(model).backend->read(buffer, 0, buffer.size(), values.data());
  return values;
}

void test_threads_do_not_change_a_bit(const slm::Config& config, int64_t batch_size) {
  constexpr int64_t kSeqLen = 700;  // some chunks, and so some segments, at every batch size
  const Model alone = make_model(config, 1);
  const Result expected = run(alone, kSeqLen, batch_size, false);
  CHECK(std::isfinite(expected.loss));
  for (const int threads : {1, 2, 5})
    for (const bool recompute : {false, true}) {
      const Result got = run(make_model(config, threads), kSeqLen, batch_size, recompute);
      CHECK_EQ(got.loss, expected.loss);
      CHECK(same_bits(got.gradients, expected.gradients));
      CHECK(same_bits(got.state, expected.state));
    }
}

// Otherwise the test above shows nothing.
void test_batches_are_cut() {
  const Model model = make_model(rich());
  for (const int64_t batch_size : {7, 12, 32}) {
    CHECK(num_shards(model, batch_size) > 1);
    CHECK_EQ(batch_size % num_shards(model, batch_size), 0);
  }
  CHECK(num_shards(model, 12) < 12);  // rows that share a shard
  CHECK_EQ(num_shards(model, 13), 1);
  CHECK_EQ(num_shards(make_model(small()), 32), 1);
}

// One lane over all rows knows of no shards. Only the gradients' sums over rows are cut elsewhere.
// Texts that are `apart` from each other can have the same bytes, so that every n-gram occurs
// twice, in one shard or in two of them; or none do (0).
void test_shards_are_the_whole_batch(const slm::Config& config, int64_t batch_size, int64_t apart) {
  constexpr int64_t kSeqLen = 91;
  const Model model = make_model(config);
  const slm::Backend& backend = *slm::impl_of(model).backend;
  const slm::State state = warm_state(model, batch_size);
  Bytes inputs = random_bytes(kSeqLen * batch_size, 5);
  const Bytes targets = random_bytes(kSeqLen * batch_size + 1, 5);
  for (int64_t i = 0; apart > 0 && i < kSeqLen * batch_size; ++i)
    if (i % batch_size / apart % 2 == 1) inputs[size_t(i)] = inputs[size_t(i - apart)];
  const slm::Window window{inputs.data(), targets.data() + 1, kSeqLen, batch_size};
  const slm::Dropout dropout{0.4f, 11, 1000, batch_size};
  const std::atomic<bool> stop{false};
  const auto gradients_of = [&](const auto& compute) {
    const auto grads =
        backend.make_gradients(model.config(), slm::impl_of(model).table, kSeqLen * batch_size);
    compute(*grads);
    Floats values(static_cast<size_t>(model.num_parameters()));
    backend.read_gradients(*grads, values.data());
    return values;
  };

  slm::TrainingPass pass(slm::impl_of(model), kSeqLen, batch_size, false);
  Floats cut_losses(inputs.size()), whole_losses(inputs.size());
  const Floats cut = gradients_of([&](slm::Gradients& grads) {
    pass.run(window, slm::impl_of(state).h.get(), dropout, grads, cut_losses.data());
  });
  slm::ShardPass lane(slm::impl_of(model), kSeqLen, batch_size, false);
  const Floats whole = gradients_of([&](slm::Gradients& grads) {
    const float scale = 1.0f / static_cast<float>(kSeqLen * batch_size);
    lane.run(window, slm::impl_of(state).h.get(), dropout, scale, stop, grads, whole_losses.data());
  });
  CHECK(same_bits(cut_losses, whole_losses));
  slm::State after = model.new_state(batch_size);
  pass.save_state(slm::impl_of(after).h);
  CHECK(same_bits(values_of(model, *slm::impl_of(after).h), values_of(model, lane.end_state())));
  float largest = 0, difference = 0;
  for (size_t i = 0; i < cut.size(); ++i) {
    largest = std::max(largest, std::abs(whole[i]));
    difference = std::max(difference, std::abs(cut[i] - whole[i]));
  }
  CHECK(largest > 0);
  CHECK_NEAR(difference / largest, 0, 1e-5);
}

// Steps whose shards take a few milliseconds each: longer than a thread is made to wait for a core.
struct LongStep {
  static constexpr int64_t kSeqLen = 1024;

  LongStep(int threads, int64_t rows)
      : batch_size(rows),
        model(make_model(config(), threads)),
        trainer(slm::impl_of(model), model.train_config()),
        inputs(random_bytes(kSeqLen * batch_size, 5)),
        targets(random_bytes(kSeqLen * batch_size + 1, 5)) {}

  static slm::Config config() {
    slm::Config config = wide();
    config.embed_dim = config.state_dim = 64;
    config.num_layers = 1;
    return config;
  }

  slm::Window window() const { return {inputs.data(), targets.data() + 1, kSeqLen, batch_size}; }
  float step(slm::State& state) {
    return trainer.step_window(window(), &slm::impl_of(state).h, slm::Dropout{0.3f, 3, 0}, 1e-2f);
  }
  Floats parameters() const {
    Floats values(static_cast<size_t>(model.num_parameters()));
    model.parameters(values.data());
    return values;
  }
  Floats gradients() const {
    Floats values(static_cast<size_t>(model.num_parameters()));
    slm::impl_of(model).backend->read_gradients(*trainer.grads, values.data());
    return values;
  }

  const int64_t batch_size;
  Model model;
  slm::Trainer::Impl trainer;
  const Bytes inputs, targets;
};

// Stopped at the caller's n-th poll. A poll that takes as long as polls are apart is asked each
// time, so that n says where in the step that is.
void test_interrupted_step_leaves_nothing(int threads, int polls) {
  LongStep stopped(threads, 12), whole(threads, 12);
  slm::State state = warm_state(stopped.model, 12);
  const Floats before = stopped.parameters(),
               start = values_of(stopped.model, *slm::impl_of(state).h);
  int asked = 0;
  {
    const slm::Interrupt interrupt([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return ++asked == polls;
    });
    CHECK_THROWS(slm::ErrorKind::cancelled, "stopped by the caller", stopped.step(state));
  }
  CHECK_EQ(asked, polls);
  CHECK(same_bits(stopped.parameters(), before));
  CHECK(same_bits(values_of(stopped.model, *slm::impl_of(state).h), start));
  const Floats gradients = stopped.gradients();
  CHECK(std::all_of(gradients.begin(), gradients.end(), [](float g) { return g == 0; }));

  // Nor is there anything left in a shard's own gradients or moments.
  slm::State other = warm_state(whole.model, 12);
  CHECK_EQ(stopped.step(state), whole.step(other));
  CHECK(same_bits(stopped.parameters(), whole.parameters()));
  CHECK(!same_bits(stopped.parameters(), before));
  CHECK(same_bits(values_of(stopped.model, *slm::impl_of(state).h),
                  values_of(whole.model, *slm::impl_of(other).h)));
}

// A poll that stops only while its thread waits for others: of three shards on two threads, one is
// alone with the last, in every other step the other thread, for longer than polls are apart.
void test_caller_is_asked_while_it_waits() {
  constexpr int64_t kSeqLen = 16384, kRows = 3;
  LongStep waiting(2, kRows);
  const Bytes inputs = random_bytes(kSeqLen * kRows, 5),
              targets = random_bytes(kSeqLen * kRows + 1, 5);
  const Floats before = waiting.parameters();
  slm::TrainingPass pass(slm::impl_of(waiting.model), kSeqLen, kRows, false);
  const auto grads =
      slm::impl_of(waiting.model)
          .backend->make_gradients(waiting.model.config(), slm::impl_of(waiting.model).table,
                                   kSeqLen * kRows);
  bool cancelled = false;
  const slm::Interrupt interrupt([] { return !slm::ThreadPool::is_inside_part(); });
  for (int step = 0; step < 100 && !cancelled; ++step) {
    slm::impl_of(waiting.model).backend->clear(*grads);
    try {
      pass.run({inputs.data(), targets.data() + 1, kSeqLen, kRows}, nullptr, slm::Dropout{}, *grads,
               nullptr);
    } catch (const slm::Error& error) {
      cancelled = error.kind() == slm::ErrorKind::cancelled;
    }
  }
  CHECK(cancelled);
}

// The poll throws once, at the caller's first question. Were the other shards not told, all but one
// of them would get to their end and leave losses.
void test_throwing_poll_ends_the_other_shards(int threads) {
  LongStep thrown(threads, 32);
  slm::TrainingPass pass(slm::impl_of(thrown.model), LongStep::kSeqLen, 32, false);
  const auto grads =
      slm::impl_of(thrown.model)
          .backend->make_gradients(thrown.model.config(), slm::impl_of(thrown.model).table,
                                   LongStep::kSeqLen * 32);
  Floats losses(thrown.inputs.size());
  bool caught = false;
  int asked = 0;
  try {
    const slm::Interrupt interrupt([&]() -> bool {
      if (++asked == 1) throw std::runtime_error("the poll itself failed");
      return false;
    });
    pass.run(thrown.window(), nullptr, slm::Dropout{}, *grads, losses.data());
  } catch (const std::runtime_error& error) {
    caught = std::string(error.what()) == "the poll itself failed";
  }
  CHECK(caught);
  const auto unfinished = std::count(losses.begin(), losses.end(), 0.0f);
  CHECK(unfinished * 2 > static_cast<int64_t>(losses.size()));
}

}  // namespace

int main() {
  test_batches_are_cut();
  for (const slm::Config& config : {rich(), wide()}) {
    for (const int64_t batch_size : {1, 7, 12, 13, 32})
      test_threads_do_not_change_a_bit(config, batch_size);
    for (const int64_t batch_size : {7, 12, 32})
      for (const int64_t apart : {0, 1, 2})
        test_shards_are_the_whole_batch(config, batch_size, apart);
  }
  test_interrupted_step_leaves_nothing(1, 2);
  test_interrupted_step_leaves_nothing(1, 12);
  test_interrupted_step_leaves_nothing(2, 6);
  test_caller_is_asked_while_it_waits();
  for (const int threads : {1, 2, 5}) test_throwing_poll_ends_the_other_shards(threads);
  return test_result();
}
