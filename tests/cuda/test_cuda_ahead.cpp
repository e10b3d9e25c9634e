// A run has the next step's work under way before it waits for a step's result. That shows in what
// the emulator is asked to wait for, and in no bit of what is learned, however the run ends.
#include <chrono>
#include <thread>

#include "pass/profile.h"
#include "temporary_folder.h"
#include "util/interrupt.h"
#include "whole_models.h"

namespace {

constexpr int64_t kSteps = 6;

slm::TrainConfig training(slm::Sampling sampling) {
  slm::TrainConfig how;
  how.seq_len = 6;
  how.batch_size = 2;
  how.learning_rate = 2e-3f;
  how.warmup_steps = 2;
  how.dropout = 0.2f;
  how.sampling = sampling;
  return how;
}

// A run of kSteps, which may be told to wait for each step before it begins the next one.
struct RunOf {
  RunOf(const slm::Config& config, const slm::TrainConfig& how)
      : model(make_model(config, "cuda")), trainer(model, how) {
    options.steps = kSteps;
    options.validation_fraction = 0;
  }

  void fit(bool waits, const std::function<bool(const slm::Progress&)>& callback = {}) {
    const auto run = [&] { trainer.fit(text, options, callback); };
    if (waits)
      slm::profile(run);  // times each operation, and so has none under way
    else
      run();
  }

  const std::string text = text_of(900);
  slm::FitOptions options;
  slm::Model model;
  slm::Trainer trainer;
};

void check_same_model(const RunOf& ahead, const RunOf& waiting) {
  check_same_bits(parameters_of(ahead.model), parameters_of(waiting.model));
}

// The first steps make memory and recordings.
void test_steps_do_not_wait(slm::Sampling sampling) {
  RunOf run(gated(), training(sampling));
  std::vector<int64_t> waits, under_way;
  run.fit(false, [&](const slm::Progress&) {
    waits.push_back(emulate::waits);
    under_way.push_back(emulate::late_work.called() - emulate::late_work.done());
    return true;
  });
  CHECK_EQ(waits.size(), size_t{kSteps});
  for (size_t i = 3; i < waits.size(); ++i) CHECK_EQ(waits[i], waits[2]);
  if (!emulate::late_work.is_on) return;
  // Forward and backward pass of the next step: recorded operations and what stands before them.
  for (size_t i = 2; i + 1 < under_way.size(); ++i) CHECK(under_way[i] > 20);
  CHECK(under_way.back() < under_way[2]);
}

void test_same_bits(const slm::Config& config, slm::Sampling sampling, int64_t stop_after) {
  RunOf ahead(config, training(sampling)), waiting(config, training(sampling));
  std::vector<float> losses[2];
  for (RunOf* run : {&ahead, &waiting})
    run->fit(run == &waiting, [&](const slm::Progress& progress) {
      losses[run == &waiting].push_back(progress.loss);
      return progress.step < stop_after;
    });
  CHECK_EQ(losses[0].size(), static_cast<size_t>(stop_after));
  check_same_bits(losses[0], losses[1]);
  check_same_model(ahead, waiting);
  if (stop_after == kSteps) return;
  // A step that was begun and given up leaves nothing behind.
  ahead.fit(false);
  waiting.fit(true);
  check_same_model(ahead, waiting);
}

// Stopped by the caller while a step is begun, at each of its polls, the run is saved with the
// steps that were done and goes on from there.
void test_interrupted() {
  const TemporaryFolder folder("cuda-ahead");
  RunOf whole(normed(), training(slm::Sampling::stream));
  whole.fit(false);
  int64_t interrupted = 0;
  for (const int polls : {2, 7, 11}) {
    RunOf run(normed(), training(slm::Sampling::stream));
    run.options.checkpoint = folder.path("run" + std::to_string(polls));
    int asked = 0;
    try {
      const slm::Interrupt interrupt([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // it is then asked each time
        return ++asked == polls;
      });
      run.fit(false);
    } catch (const slm::Error& error) {
      CHECK(error.kind() == slm::ErrorKind::cancelled);
      ++interrupted;
    }
    run.options.resume = true;
    run.fit(false);
    check_same_model(run, whole);
  }
  CHECK_EQ(interrupted, 3);
}

// A step that is not finite changes nothing, nor does the one that was begun after it.
void test_not_finite() {
  slm::TrainConfig how = training(slm::Sampling::stream);
  how.learning_rate = 1e25f;
  RunOf ahead(normed(), how), waiting(normed(), how);
  std::string errors[2];
  for (RunOf* run : {&ahead, &waiting}) try {
      run->fit(run == &waiting);
    } catch (const slm::Error& error) {
      CHECK(error.kind() == slm::ErrorKind::training);
      errors[run == &waiting] = error.what();
    }
  CHECK(errors[0].find("is not a finite number") != std::string::npos);
  CHECK_EQ(errors[0], errors[1]);
  check_same_model(ahead, waiting);
}

}  // namespace

int main() {
  for (const slm::Sampling sampling : {slm::Sampling::stream, slm::Sampling::random})
    test_steps_do_not_wait(sampling);
  test_same_bits(gated(), slm::Sampling::random, kSteps);
  test_same_bits(normed(), slm::Sampling::stream, 4);
  test_interrupted();
  test_not_finite();
  return comparison_result();
}
