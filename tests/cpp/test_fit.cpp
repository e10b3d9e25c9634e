// fit: what it reports, what it keeps, when it ends. Time is a clock of the test's own.
#include <cmath>

#include "check.h"
#include "score.h"
#include "slm/slm.h"
#include "train/run.h"
#include "train/schedule.h"

using slm::ErrorKind;
using slm::FitOptions;
using slm::History;
using slm::Model;
using slm::Progress;
using slm::Trainer;

namespace {

slm::Preset tiny() {
  slm::Preset preset;
  preset.model.embed_dim = 12;
  preset.model.state_dim = 10;
  preset.model.num_layers = 1;
  preset.training.seq_len = 16;
  preset.training.batch_size = 4;
  preset.training.warmup_steps = 2;
  preset.training.steps = 30;
  return preset;
}

std::string repeated(const std::string& part, size_t size) {
  std::string text;
  while (text.size() < size) text += part;
  return text.substr(0, size);
}

const std::string kText = repeated("To be, or not to be: that is the question. ", 2000);

std::vector<float> parameters(const Model& model) {
  std::vector<float> out(static_cast<size_t>(model.num_parameters()));
  model.parameters(out.data());
  return out;
}

void test_report() {
  Model model(tiny());
  Trainer trainer(model, model.training());
  FitOptions options;
  options.eval_every = 8;
  std::vector<double> losses;
  std::vector<int64_t> evaluated;
  const History history = trainer.fit(kText, options, [&](const Progress& progress) {
    losses.push_back(progress.loss);
    CHECK_EQ(progress.step, losses.size());
    CHECK_EQ(progress.steps, 30);
    CHECK(progress.grad_norm > 0 && progress.learning_rate > 0 && progress.bytes_per_second > 0);
    if (progress.evaluation) evaluated.push_back(progress.evaluation->step);
    return true;
  });
  CHECK(evaluated == std::vector<int64_t>({8, 16, 24, 30}));
  CHECK_EQ(history.evaluations.size(), 4);
  CHECK_EQ(history.steps, 30);
  CHECK_EQ(history.config.steps, 30);
  CHECK(!history.stopped);
  CHECK(history.notes.empty());
  CHECK(losses.back() < 0.8 * losses.front());
  double sum = 0;
  for (size_t i = 24; i < 30; ++i) sum += losses[i];
  CHECK_NEAR(history.evaluations.back().train_loss, sum / 6, 1e-12);
  CHECK_EQ(trainer.steps_done(), 30);

  // The validation loss is the model's score of the last tenth.
  CHECK_EQ(history.best_loss, model.score(kText.substr(1800)).nats_per_byte);
  CHECK_EQ(history.best_loss, history.evaluations.back().validation_loss);

  // A second fit is a run of its own: the optimiser does not remember the first.
  Model other(tiny());
  for (const slm::TensorInfo& info : model.tensors()) {
    int64_t offset = 0;
    for (const slm::TensorInfo& before : model.tensors()) {
      if (before.name == info.name) break;
      offset += before.size;
    }
    other.set_parameter(info.name, parameters(model).data() + offset, info.size);
  }
  trainer.fit(kText, options);
  Trainer(other, other.training()).fit(kText, options);
  CHECK(parameters(model) == parameters(other));
}

// Bytes that the training text has make this validation text likelier at first, and the others soon
// much less.
void test_best_is_kept() {
  slm::Preset preset = tiny();
  preset.training.learning_rate = 0.1f;
  Model model(preset);
  FitOptions options;
  options.validation = "To be\xff\xfe\xfd\xfc";
  options.eval_every = 1;
  int64_t best_step = 0;
  std::vector<float> best;
  const auto callback = [&](const Progress& progress) {
    if (progress.is_best) {
      best_step = progress.step;
      best = parameters(model);
    }
    return true;
  };
  const History history = Trainer(model, preset.training).fit(kText, options, callback);
  CHECK(best_step > 0 && best_step < 30);
  CHECK_EQ(history.best_step, best_step);
  CHECK(parameters(model) == best);
  CHECK_EQ(model.score(options.validation).nats_per_byte, history.best_loss);

  Model impatient(preset);
  options.patience = 3;
  const History stopped = Trainer(impatient, preset.training).fit(kText, options);
  CHECK(stopped.stopped);
  CHECK_EQ(stopped.best_step, best_step);
  CHECK_EQ(stopped.steps, best_step + 3);
  CHECK(parameters(impatient) == best);
}

// Whoever trains too long on too little is told.
void test_best_is_said() {
  slm::Preset preset = tiny();
  preset.training.learning_rate = 0.1f;
  Model model(preset);
  FitOptions options;
  options.validation = "To be\xff\xfe\xfd\xfc";
  options.eval_every = 5;
  const auto sentence = [](const History& history) {
    char losses[100];
    std::snprintf(losses, sizeof losses, " of %d (%.3f) and %.3f at the end",
                  static_cast<int>(history.steps), history.best_loss,
                  history.evaluations.back().validation_loss);
    const std::string step = "step " + std::to_string(history.best_step);
    return "the validation loss was best at " + step + losses + "; the model has the weights of " +
           step;
  };
  std::string told;
  const History history =
      Trainer(model, preset.training).fit(kText, options, [&](const Progress& progress) {
        CHECK(progress.note.empty() || progress.step == 30);
        told += progress.note;
        return true;
      });
  CHECK(history.best_step < 30);
  CHECK(history.notes == std::vector<std::string>{sentence(history)});
  CHECK_EQ(told, history.notes.front());

  // Out of patience, and stopped between two evaluations: at the end of what was done.
  Model impatient(preset);
  options.patience = 1;
  const History early = Trainer(impatient, preset.training).fit(kText, options);
  CHECK(early.stopped);
  CHECK(early.notes == std::vector<std::string>{sentence(early)});
  Model stopped(preset);
  options.patience = 0;
  const auto stop = [](const Progress& progress) { return progress.step < 27; };
  const History part = Trainer(stopped, preset.training).fit(kText, options, stop);
  CHECK_EQ(part.steps, 27);
  CHECK(part.notes == std::vector<std::string>{sentence(part)});
}

void test_dropout_by_passes() {
  CHECK_EQ(slm::auto_dropout(0), 0.0f);
  CHECK_EQ(slm::auto_dropout(1), 0.0f);
  CHECK_NEAR(slm::auto_dropout(4), 0.5, 1e-6);
  CHECK_NEAR(slm::auto_dropout(1e9), 0.6, 1e-6);
  CHECK_EQ(slm::auto_layer_dropout(0), 0.0f);
  CHECK_EQ(slm::auto_layer_dropout(4), 0.0f);
  CHECK_NEAR(slm::auto_layer_dropout(16), 0.1, 1e-6);
  CHECK_NEAR(slm::auto_layer_dropout(1e9), 0.2, 1e-6);
}

void test_dropout_is_chosen() {
  constexpr int64_t kSteps = 150;
  slm::Preset preset = tiny();
  preset.model.norm = "rms";
  preset.training.steps = kSteps;
  slm::TrainConfig &how = preset.training, automatic = how;
  automatic.dropout = automatic.layer_dropout = slm::kAutoDropout;
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
  CHECK_EQ(history.config.layer_dropout, slm::auto_layer_dropout(passes));
  CHECK_EQ(chosen.training().dropout, slm::kAutoDropout);  // another text, another choice
  CHECK_EQ(chosen.training().layer_dropout, slm::kAutoDropout);
  CHECK_EQ(chosen.training().steps, kSteps);
  how.dropout = history.config.dropout;
  how.layer_dropout = history.config.layer_dropout;
  CHECK(how.dropout > 0 && how.layer_dropout > 0);
  CHECK(parameters(chosen) == trained(how));
  how.layer_dropout = 0;
  CHECK(parameters(chosen) != trained(how));
  how.layer_dropout = history.config.layer_dropout;
  how.dropout = 0;
  CHECK(parameters(chosen) != trained(how));
}

// Where there is no text to choose by, or no norm, there is none.
void test_no_dropout_is_chosen() {
  slm::Preset preset = tiny();
  Model without_norm(preset);
  preset.training.layer_dropout = slm::kAutoDropout;
  preset.training.steps = 150;
  CHECK_EQ(Trainer(without_norm, preset.training).fit(kText).config.layer_dropout, 0.0f);

  preset.model.norm = "rms";
  preset.training.dropout = slm::kAutoDropout;
  Model step(preset), plain(preset);
  const auto* bytes = reinterpret_cast<const uint8_t*>(kText.data());
  Trainer(step, preset.training).step(bytes, bytes + 4, 16, 4);
  preset.training.dropout = preset.training.layer_dropout = 0;
  Trainer(plain, preset.training).step(bytes, bytes + 4, 16, 4);
  CHECK(parameters(step) == parameters(plain));
}

// What stands before a window in the text is what its n-grams reach back to. Against steps made by
// hand; a window of one byte has no n-gram but those.
void test_windows_know_what_is_before(const char* sampling) {
  slm::Preset preset = tiny();
  preset.model.ngram_orders = {2, 4};
  preset.model.ngram_buckets = 64;
  slm::TrainConfig& how = preset.training;
  how.sampling = sampling;
  how.seq_len = 1;
  how.dropout = 0.3f;
  how.seed = 3;
  how.steps = 7;
  FitOptions options;
  options.validation_fraction = 0;
  Model model(preset);
  Trainer(model, how).fit(kText, options);

  const auto by_hand = [&](bool history) {
    Model other(preset);
    Trainer::Impl trainer(other.impl(), how);
    slm::WindowSampler sampler(kText, how);
    const slm::Backend& backend = *other.impl().backend;
    const int64_t h = slm::hidden_size(preset.model, 4);
    const auto state = backend.make_buffer(h + 4 * 3);
    for (int64_t step = 0; step < 7; ++step) {
      if (step == 0 || how.sampling == "random") {
        std::vector<float> start(static_cast<size_t>(state->size()));
        if (history) sampler.history(step, 3, start.data() + h);
        backend.write(start.data(), state->size(), *state, 0);
      }
      trainer.step_window(sampler.window(step), state.get(),
                          {0.3f, 3, static_cast<uint64_t>(4 * step)},
                          slm::learning_rate(how, step, 7));
    }
    return parameters(other);
  };
  CHECK(parameters(model) == by_hand(true));
  CHECK(parameters(model) != by_hand(false));
}

void test_no_validation_and_stop() {
  Model model(tiny());
  FitOptions options;
  options.validation_fraction = 0;
  std::vector<float> last;
  const History history =
      Trainer(model, tiny().training).fit(kText, options, [&](const Progress& progress) {
        CHECK(!progress.is_best);
        last = parameters(model);
        return progress.step < 7;
      });
  CHECK(history.stopped);
  CHECK_EQ(history.steps, 7);
  CHECK_EQ(history.best_step, 7);
  CHECK_EQ(history.evaluations.back().step, 7);
  CHECK(std::isnan(history.evaluations.back().validation_loss));
  CHECK_EQ(history.best_loss, history.evaluations.back().train_loss);
  CHECK(parameters(model) == last);
}

void test_short_texts() {
  Model model(tiny());
  Trainer trainer(model, tiny().training);
  FitOptions options;
  options.steps = 2;
  std::string note;
  const History history = trainer.fit("0123456789", options, [&](const Progress& progress) {
    note += progress.note;
    return true;
  });
  CHECK_EQ(note, "the text to train on has 9 bytes, so the window is 9 bytes instead of 16");
  CHECK_EQ(history.notes.size(), 1);
  CHECK_EQ(history.config.seq_len, 9);
  CHECK_EQ(model.training().seq_len, 9);
  CHECK_EQ(model.training().steps, 2);

  CHECK_EQ(trainer.fit("x", options).notes.front(),
           "the text has 1 byte, too few to cut off a validation part of 0.1, so there is no "
           "validation");
  CHECK_THROWS(ErrorKind::config, "the text to train on is empty", trainer.fit(""));
}

void test_split() {
  std::vector<std::string> notes;
  const std::string large(32 << 20, 'x');
  CHECK_EQ(slm::split_text(large, {}, notes).validation.size(), 1 << 20);
  CHECK_EQ(slm::split_text(std::string_view(large).substr(0, 1115394), {}, notes).training.size(),
           1003854);
  FitOptions options;
  options.validation = "mine";
  CHECK_EQ(slm::split_text("text", options, notes).training, "text");
  CHECK(notes.empty());
}

void test_bad_options() {
  Model model(tiny());
  const std::vector<float> before = parameters(model);
  Trainer trainer(model, tiny().training);
  const auto refused = [&](const char* sentence, auto change) {
    FitOptions options;
    change(options);
    CHECK_THROWS(ErrorKind::config, sentence, trainer.fit(kText, options));
  };
  refused("steps is -1 but", [](FitOptions& o) { o.steps = -1; });
  refused("seconds is -2 but", [](FitOptions& o) { o.seconds = -2; });
  refused("seconds is inf but", [](FitOptions& o) { o.seconds = INFINITY; });
  refused("seconds is nan but", [](FitOptions& o) { o.seconds = NAN; });
  refused("eval_every is -1", [](FitOptions& o) { o.eval_every = -1; });
  refused("patience is -1", [](FitOptions& o) { o.patience = -1; });
  refused("checkpoint_seconds is -1", [](FitOptions& o) { o.checkpoint_seconds = -1; });
  refused("fraction is 1 but", [](FitOptions& o) { o.validation_fraction = 1; });
  refused("fraction is nan but", [](FitOptions& o) { o.validation_fraction = NAN; });
  refused("both steps (1) and seconds (1)", [](FitOptions& o) { o.steps = 1, o.seconds = 1; });
  refused("resume needs the checkpoint", [](FitOptions& o) { o.resume = true; });
  FitOptions options;
  options.checkpoint = "/nowhere/at/all.ckpt.safetensors";
  CHECK_THROWS(ErrorKind::io, "/nowhere/at/all", trainer.fit(kText, options));
  CHECK(parameters(model) == before);
}

void test_not_finite() {
  slm::Preset preset = tiny();
  preset.training.learning_rate = 1e30f;
  preset.training.warmup_steps = 0;
  preset.training.clip_norm = 0;
  Model model(preset);
  std::vector<float> last = parameters(model);
  FitOptions options;
  options.validation_fraction = 0;
  CHECK_THROWS(ErrorKind::training, "; the model has the weights of step ",
               Trainer(model, preset.training).fit(kText, options, [&](const Progress&) {
                 last = parameters(model);
                 return true;
               }));
  CHECK(parameters(model) == last);
}

// Time passes where a test says so, and with every look at the clock.
struct TestClock {
  double time = 0, look = 0;
  double operator()() { return time += look; }
};

History fit_by_time(Model& model, TestClock& clock, const FitOptions& options,
                    const std::function<bool(const Progress&)>& callback = {}) {
  Trainer::Impl trainer(model.impl(), tiny().training);
  return slm::fit_text(trainer, kText, options, callback, std::ref(clock));
}

// A recurrence that doubles its state at every byte: fine within a window, and not finite after a
// validation text of some hundred bytes.
void test_validation_that_is_not_finite() {
  Model model(tiny());
  std::vector<float> A(100, 0.0f);
  for (size_t i = 0; i < 10; ++i) A[i * 11] = 2.0f;
  model.set_parameter("layers.0.A", A.data(), 100);
  slm::TrainConfig how = tiny().training;
  how.learning_rate = 1e-6f;
  how.steps = 4;
  FitOptions options;
  options.eval_every = 2;
  Trainer trainer(model, how);
  const History history = trainer.fit(kText, options);
  CHECK_EQ(history.steps, 4);
  CHECK_EQ(history.evaluations.size(), 2);
  for (const slm::Evaluation& evaluation : history.evaluations) {
    CHECK(std::isnan(evaluation.validation_loss));
    CHECK(std::isfinite(evaluation.train_loss));
  }
  CHECK_EQ(history.notes.size(), 2);
  CHECK(history.notes.at(0).find("at step 2 the validation loss is not a finite") == 0);
  CHECK_EQ(history.best_step, 4);
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
  CHECK_EQ(model.training().steps, planned);
  CHECK_NEAR(history.seconds, 2, 0.02);
  CHECK_EQ(history.evaluations.size(), 10);
  CHECK(history.notes.empty());

  // What gets five times slower after the plan stops at 1.05 times the time.
  TestClock slower;
  const History late = fit_by_time(model, slower, options, [&](const Progress& progress) {
    slower.time += progress.steps > 0 ? 0.05 : 0.01;
    return true;
  });
  CHECK_EQ(late.steps, 51);  // 11 of 0.01 s, and 40 of 0.05 s
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
  const std::string validation(40 * slm::kSegmentBytes, 'x');
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
  // What no longer fits still ends, after one step at least.
  CHECK_EQ(slm::plan_by_time(1, 3, 1, {3, 1}, 0).steps, 1);
}

}  // namespace

int main() {
  test_report();
  test_best_is_kept();
  test_best_is_said();
  test_dropout_by_passes();
  test_dropout_is_chosen();
  test_no_dropout_is_chosen();
  test_windows_know_what_is_before("random");
  test_windows_know_what_is_before("stream");
  test_no_validation_and_stop();
  test_short_texts();
  test_split();
  test_bad_options();
  test_not_finite();
  test_validation_that_is_not_finite();
  test_time();
  test_costly_evaluation();
  test_plan();
  return test_result();
}
