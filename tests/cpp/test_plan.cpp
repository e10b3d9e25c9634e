// A run's own decisions: where it cuts the text, how many steps fit into a time, what share is
// dropped. Time is a clock of the test's own.
#include "evaluate/score.h"
#include "fit_case.h"
#include "model_impl.h"

namespace {

// Time passes where a test says so, and with every look at the clock.
struct TestClock {
  double time = 0, look = 0;
  double operator()() { return time += look; }
};

History fit_by_time(Model& model, TestClock& clock, const FitOptions& options,
                    const std::function<bool(const Progress&)>& callback = {}) {
  Trainer::Impl trainer(slm::impl_of(model), tiny().train_config);
  return slm::fit_text(trainer, kText, options, callback, std::ref(clock));
}

void test_split() {
  std::vector<std::string> notes;
  const auto split = [&](std::string_view text, const FitOptions& how) {
    return slm::split_text(text, how, false, 0, notes);
  };
  const std::string large(32 << 20, 'x');
  CHECK_EQ(split(large, {}).validation.size(), 1 << 20);
  CHECK_EQ(split(std::string_view(large).substr(0, 1115394), {}).training.size(), 1003854);
  FitOptions options;
  options.validation = "mine";
  CHECK_EQ(split("text", options).training, "text");
  CHECK(notes.empty());
}

void test_plan() {
  CHECK_EQ(slm::plan_by_steps(95, 0).eval_every, 10);
  CHECK_EQ(slm::plan_by_steps(3, 0).eval_every, 1);
  CHECK_EQ(slm::plan_by_steps(95, 7).eval_every, 7);
  // 98 s are left; evaluations take 0.5 s each and ten fit.
  const slm::Plan plan = slm::plan_by_time(100, 2, 20, {0.1, 0.5}, 0);
  CHECK(plan.steps > 20 + 900 && plan.steps < 20 + 975);
  CHECK(plan.eval_every > 90 && plan.eval_every < 105);
  // An evaluation of 5 s is worth 950 steps of 0.1 s.
  CHECK_EQ(slm::plan_by_time(100, 2, 20, {0.1, 5}, 10).eval_every, 950);
  // A run whose time is up ends, but takes one step at least.
  CHECK_EQ(slm::plan_by_time(1, 3, 1, {3, 1}, 0).steps, 1);
}

void test_time() {
  Model model(tiny());
  TestClock clock;
  FitOptions options;
  options.seconds = 2;
  int64_t planned = 0, unplanned_steps = 0;
  const History history = fit_by_time(model, clock, options, [&](const Progress& progress) {
    clock.time += 0.01;
    if (progress.steps == 0)
      ++unplanned_steps;
    else if (planned == 0)
      planned = progress.steps;
    CHECK_EQ(progress.steps, planned);
    return true;
  });
  CHECK_EQ(unplanned_steps, 11);  // a twentieth of the time
  CHECK_NEAR(static_cast<double>(planned), 200, 1);
  CHECK_EQ(history.steps, planned);
  CHECK_EQ(history.config.steps, planned);
  CHECK_EQ(model.last_run()->steps, planned);
  CHECK_NEAR(history.seconds, 2, 0.02);
  CHECK_EQ(history.evaluations.size(), 10);
  CHECK(history.notes.empty());

  // A run that was three times slower at first has a new plan after a fifth of the time.
  TestClock faster;
  int64_t first_plan = 0;
  Model other(tiny());
  const History corrected = fit_by_time(other, faster, options, [&](const Progress& progress) {
    faster.time += progress.steps == 0 ? 0.03 : 0.01;
    if (first_plan == 0) first_plan = progress.steps;
    return true;
  });
  CHECK_NEAR(static_cast<double>(first_plan), 67, 1);
  CHECK_NEAR(static_cast<double>(corrected.steps), 192, 2);
  CHECK_EQ(corrected.config.steps, corrected.steps);
  CHECK_NEAR(corrected.seconds, 2, 0.03);
  CHECK(corrected.notes.empty());

  // A run that gets five times slower after that stops at 1.05 times the time.
  TestClock slower;
  const History late = fit_by_time(model, slower, options, [&](const Progress& progress) {
    slower.time += progress.step > 50 ? 0.05 : 0.01;
    return true;
  });
  CHECK_EQ(late.steps, 82);  // 50 of 0.01 s, and 32 of 0.05 s
  CHECK_NEAR(late.seconds, 2.1, 0.051);
  CHECK_EQ(late.evaluations.back().step, late.steps);
  CHECK(!late.stopped);
  CHECK(late.notes.front().find("the time is up after step ") == 0);
}

void test_costly_evaluation() {
  Model model(tiny());
  TestClock clock;
  clock.look = 0.001;
  FitOptions options;
  options.seconds = 2;
  options.eval_every = 1;
  const std::string validation = repeated(kText, 40 * slm::kScoreSegmentBytes);
  options.validation = validation;
  const History history = fit_by_time(model, clock, options);
  // One segment of it is left, and the run is evaluated at the end only.
  CHECK_EQ(history.evaluations.size(), 1);
  CHECK_EQ(history.notes.size(), 2);
  CHECK_EQ(history.notes[0],
           "the first 16384 of 655360 validation bytes are used, so that evaluation leaves time to "
           "train");
  CHECK(history.notes[1].find("instead of every 1,") != std::string::npos);
  CHECK_EQ(history.best_loss, model.score(validation.substr(0, 16384)).nats_per_byte);
}

void test_dropout_by_passes() {
  CHECK_EQ(slm::auto_dropout(0), 0.0f);
  CHECK_EQ(slm::auto_dropout(1), 0.0f);
  CHECK_NEAR(slm::auto_dropout(4), 0.4, 1e-6);
  CHECK_NEAR(slm::auto_dropout(1e9), 0.5, 1e-6);
  CHECK_EQ(slm::auto_locked_dropout(0), 0.0f);
  CHECK_EQ(slm::auto_locked_dropout(4), 0.0f);
  CHECK_NEAR(slm::auto_locked_dropout(8), 0.05, 1e-6);
  CHECK_NEAR(slm::auto_locked_dropout(1e9), 0.1, 1e-6);
}

void test_dropout_is_chosen() {
  constexpr int64_t kSteps = 150;
  slm::Preset preset = tiny();
  preset.config.norm = slm::Norm::rms;
  preset.train_config.steps = kSteps;
  slm::TrainConfig &how = preset.train_config, automatic = how;
  automatic.dropout = automatic.locked_dropout = slm::kAutoDropout;
  const auto read = static_cast<double>(kSteps * how.seq_len * how.batch_size);
  const double passes = read / (0.9 * static_cast<double>(kText.size()));
  const auto trained = [&](const slm::TrainConfig& config) {
    Model model(preset);
    Trainer(model, config).fit(kText);
    return parameters(model);
  };

  Model chosen(preset);
  const History history = Trainer(chosen, automatic).fit(kText);
  CHECK_EQ(history.config.dropout, slm::auto_dropout(passes));
  CHECK_EQ(history.config.locked_dropout, slm::auto_locked_dropout(passes));
  CHECK_EQ(chosen.last_run()->dropout, history.config.dropout);
  CHECK_EQ(chosen.train_config().dropout, how.dropout);  // another text, another choice
  CHECK_EQ(chosen.train_config().steps, kSteps);
  how.dropout = history.config.dropout;
  how.locked_dropout = history.config.locked_dropout;
  CHECK(how.dropout > 0 && how.locked_dropout > 0);
  CHECK(parameters(chosen) == trained(how));
  how.locked_dropout = 0;
  CHECK(parameters(chosen) != trained(how));
  how.locked_dropout = history.config.locked_dropout;
  how.dropout = 0;
  CHECK(parameters(chosen) != trained(how));
}

// Where there is no text to choose by, or no norm, there is none.
void test_no_dropout_is_chosen() {
  slm::Preset preset = tiny();
  Model without_norm(preset);
  preset.train_config.locked_dropout = slm::kAutoDropout;
  preset.train_config.steps = 150;
  CHECK_EQ(Trainer(without_norm, preset.train_config).fit(kText).config.locked_dropout, 0.0f);

  preset.config.norm = slm::Norm::rms;
  preset.train_config.dropout = slm::kAutoDropout;
  Model step(preset), plain(preset);
  const auto* bytes = reinterpret_cast<const uint8_t*>(kText.data());
  Trainer(step, preset.train_config).step(bytes, bytes + 4, 16, 4);
  preset.train_config.dropout = preset.train_config.locked_dropout = 0;
  Trainer(plain, preset.train_config).step(bytes, bytes + 4, 16, 4);
  CHECK(parameters(step) == parameters(plain));
}

}  // namespace

int main() {
  test_split();
  test_plan();
  test_time();
  test_costly_evaluation();
  test_dropout_by_passes();
  test_dropout_is_chosen();
  test_no_dropout_is_chosen();
  return test_result();
}
