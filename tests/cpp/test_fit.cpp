// fit: what it reports, what it keeps, when it ends.
#include <cmath>

#include "config_fields.h"
#include "evaluate/score.h"
#include "fit_case.h"
#include "model_impl.h"
#include "temporary_folder.h"
#include "train/schedule.h"

namespace {

void test_report() {
  Model model(tiny());
  Trainer trainer(model, model.train_config());
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

  // A second fit is a run of its own: the optimizer does not remember the first.
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
  Trainer(other, other.train_config()).fit(kText, options);
  CHECK(parameters(model) == parameters(other));
}

// Bytes that the training text has make this validation text likelier at first, and the others soon
// much less.
void test_best_is_kept() {
  slm::Preset preset = tiny();
  preset.train_config.learning_rate = 0.1f;
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
  const History history = Trainer(model, preset.train_config).fit(kText, options, callback);
  CHECK(best_step > 0 && best_step < 30);
  CHECK_EQ(history.best_step, best_step);
  CHECK(parameters(model) == best);
  CHECK_EQ(model.score(options.validation).nats_per_byte, history.best_loss);

  Model impatient(preset);
  options.patience = 3;
  const History stopped = Trainer(impatient, preset.train_config).fit(kText, options);
  CHECK(stopped.stopped);
  CHECK_EQ(stopped.best_step, best_step);
  CHECK_EQ(stopped.steps, best_step + 3);
  CHECK(parameters(impatient) == best);
}

// Whoever trains too long on too little is told.
void test_best_is_said() {
  slm::Preset preset = tiny();
  preset.train_config.learning_rate = 0.1f;
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
    const bool first = history.best_step == history.evaluations.front().step;
    return "the validation loss was best at " + step + losses + "; the model has the weights of " +
           step +
           (first ? "; that was the first evaluation, so the run overfits from its start or its "
                    "learning rate is too high"
                  : "") +
           "; what helps against overfitting: more text, fewer steps, a smaller model, or to "
           "start from a trained model (slm train --from, or slm.load(...).train(...))";
  };
  std::vector<std::string> reported;
  const History history =
      Trainer(model, preset.train_config).fit(kText, options, [&](const Progress& progress) {
        CHECK(progress.notes.empty() || progress.step == 30);
        reported.insert(reported.end(), progress.notes.begin(), progress.notes.end());
        return true;
      });
  CHECK(history.best_step < 30);
  CHECK(history.notes == std::vector<std::string>{sentence(history)});
  CHECK(reported == history.notes);

  // Out of patience, and stopped between two evaluations: at the end of what was done.
  Model impatient(preset);
  options.patience = 3;
  const History early = Trainer(impatient, preset.train_config).fit(kText, options);
  CHECK(early.stopped);
  CHECK(early.steps >= 20 && early.steps < 30);
  CHECK(early.notes == std::vector<std::string>{sentence(early)});
  Model stopped(preset);
  options.patience = 0;
  const auto stop = [](const Progress& progress) { return progress.step < 27; };
  const History part = Trainer(stopped, preset.train_config).fit(kText, options, stop);
  CHECK_EQ(part.steps, 27);
  CHECK(part.notes == std::vector<std::string>{sentence(part)});
  // The losses of a run of fewer than 20 steps say nothing yet.
  for (const int64_t steps : {19, 20}) {
    Model brief(preset);
    const History few =
        Trainer(brief, preset.train_config).fit(kText, options, [&](const Progress& progress) {
          return progress.step < steps;
        });
    CHECK_EQ(few.steps, steps);
    CHECK(few.evaluations.back().validation_loss > 1.02 * few.best_loss);
    CHECK_EQ(few.notes.size(), steps == 20 ? 1 : 0);
  }
}

// The n-grams and matches of a window reach back to the text before it: a run is compared with
// steps made by hand. A window of one byte has no others.
void test_windows_know_what_is_before(slm::Cell cell, slm::Sampling sampling) {
  slm::Preset preset = tiny();
  preset.config.cell = cell;
  preset.config.ngram_orders = {2, 4};
  preset.config.ngram_buckets = 64;
  preset.config.match_lengths = {2};
  preset.config.match_span = 20;
  slm::TrainConfig& how = preset.train_config;
  how.sampling = sampling;
  how.seq_len = 1;
  how.dropout = 0.3f;
  how.seed = 3;
  how.steps = 7;
  how.warmup_steps = 0;
  FitOptions options;
  options.validation_fraction = 0;
  Model model(preset);
  Trainer(model, how).fit(kText, options);

  const auto by_hand = [&](bool history) {
    Model other(preset);
    Trainer::Impl trainer(slm::impl_of(other), how);
    slm::WindowSampler sampler(kText, how);
    const slm::Backend& backend = *slm::impl_of(other).backend;
    const int64_t h = slm::hidden_size(preset.config, 4), K = preset.config.match_span;
    auto state = backend.make_buffer(h + 4 * K);
    for (int64_t step = 0; step < 7; ++step) {
      if (step == 0 || how.sampling == slm::Sampling::random) {
        std::vector<float> start(static_cast<size_t>(state->size()));
        if (history) sampler.history(step, K, start.data() + h);
        backend.write(start.data(), state->size(), *state, 0);
      }
      trainer.step_window(sampler.window(step), &state, {0.3f, 3, static_cast<uint64_t>(4 * step)},
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
      Trainer(model, tiny().train_config).fit(kText, options, [&](const Progress& progress) {
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
  Trainer trainer(model, tiny().train_config);
  FitOptions options;
  options.steps = 2;
  const History history = trainer.fit("0123456789", options, [&](const Progress& progress) {
    CHECK_EQ(progress.notes.size(), progress.step == 1 ? 1 : 0);
    return true;
  });
  CHECK_EQ(history.notes.size(), 1);
  CHECK(history.notes.front().find("the window is 9 bytes instead of 16") != std::string::npos);
  CHECK_EQ(history.config.seq_len, 9);
  CHECK_EQ(model.last_run()->seq_len, 9);
  CHECK_EQ(model.last_run()->steps, 2);
  CHECK(same_fields(model.train_config(), tiny().train_config));  // for the next run
  const TemporaryFolder folder("test_fit");
  model.save(folder.path("model"));
  const Model loaded = Model::load(folder.path("model"));
  CHECK(same_fields(loaded.train_config(), tiny().train_config));
  CHECK(same_fields(*loaded.last_run(), history.config));
  Model(tiny()).save(folder.path("new"));
  CHECK(!Model::load(folder.path("new")).last_run());
  CHECK_EQ(trainer.fit(kText, options).config.seq_len, 16);

  CHECK_EQ(trainer.fit("x", options).notes.front(),
           "the text has 1 byte, too few to cut off a validation part of 0.1, so there is no "
           "validation");
  CHECK_THROWS(ErrorKind::config, "the text to train on is empty", trainer.fit(""));
}

// With a norm a tenth of the run at most, which may be none of its steps.
void check_warmup(slm::Norm norm, int64_t steps, int64_t warmup) {
  slm::Preset preset = tiny();
  preset.config.norm = norm;
  slm::TrainConfig& how = preset.train_config;
  how.schedule = slm::Schedule::constant;
  how.warmup_steps = 5;
  how.steps = steps;
  Model model(preset);
  std::vector<float> rates;
  const History history = Trainer(model, how).fit(kText, {}, [&](const Progress& progress) {
    rates.push_back(progress.learning_rate / how.learning_rate);
    return true;
  });
  CHECK_EQ(history.config.warmup_steps, warmup);
  for (int64_t s = 0; s < steps; ++s)
    CHECK_NEAR(rates.at(static_cast<size_t>(s)),
               s < warmup ? static_cast<double>(s + 1) / static_cast<double>(warmup) : 1.0, 1e-6);
}

void test_warmup() {
  for (const auto& [steps, warmup] : {std::pair{100, 5}, {40, 4}, {19, 1}, {3, 0}})
    check_warmup(slm::Norm::rms, steps, warmup);
  for (const int64_t steps : {100, 19, 3}) check_warmup(slm::Norm::none, steps, 5);
}

void test_bad_options() {
  Model model(tiny());
  const std::vector<float> before = parameters(model);
  Trainer trainer(model, tiny().train_config);
  const auto refused = [&](const char* sentence, auto change) {
    FitOptions options;
    change(options);
    CHECK_THROWS(ErrorKind::config, sentence, trainer.fit(kText, options));
  };
  refused("steps is -1,", [](FitOptions& o) { o.steps = -1; });
  refused("seconds is -2,", [](FitOptions& o) { o.seconds = -2; });
  refused("seconds is inf,", [](FitOptions& o) { o.seconds = INFINITY; });
  refused("seconds is nan,", [](FitOptions& o) { o.seconds = NAN; });
  refused("steps is 9007199254740993,", [](FitOptions& o) { o.steps = slm::kMaxSteps + 1; });
  refused("eval_every is -1", [](FitOptions& o) { o.eval_every = -1; });
  refused("patience is -1", [](FitOptions& o) { o.patience = -1; });
  refused("patience is 9223372036854775807", [](FitOptions& o) { o.patience = INT64_MAX; });
  refused("checkpoint_seconds is -1", [](FitOptions& o) { o.checkpoint_seconds = -1; });
  refused("validation_fraction is 1,", [](FitOptions& o) { o.validation_fraction = 1; });
  refused("validation_fraction is nan,", [](FitOptions& o) { o.validation_fraction = NAN; });
  refused("both steps (1) and seconds (1)", [](FitOptions& o) { o.steps = 1, o.seconds = 1; });
  refused("resume needs the checkpoint", [](FitOptions& o) { o.resume = true; });
  FitOptions options;
  options.checkpoint = "/nowhere/at/all.ckpt.safetensors";
  CHECK_THROWS(ErrorKind::io, "/nowhere/at/all", trainer.fit(kText, options));
  CHECK(parameters(model) == before);
}

void test_not_finite() {
  slm::Preset preset = tiny();
  preset.train_config.learning_rate = 1e30f;
  preset.train_config.warmup_steps = 0;
  preset.train_config.clip_norm = 0;
  Model model(preset);
  std::vector<float> last = parameters(model);
  FitOptions options;
  options.validation_fraction = 0;
  CHECK_THROWS(ErrorKind::training, "; the model has the weights of step ",
               Trainer(model, preset.train_config).fit(kText, options, [&](const Progress&) {
                 last = parameters(model);
                 return true;
               }));
  CHECK(parameters(model) == last);
}

// A note says that nothing was learned: at a learning rate of almost 0, by a model that prefers a
// byte which never occurs.
void test_loss_above_uniform() {
  slm::Preset preset = tiny();
  preset.train_config.learning_rate = 1e-20f;
  preset.train_config.steps = 20;
  Model model(preset);
  std::vector<float> D(256 * 12, 0.0f);
  for (size_t i = 0; i < 12; ++i) D['#' * 12 + i] = 3;
  model.set_parameter("layers.0.D", D.data(), 256 * 12);
  std::vector<float> ones(256 * 12, 1.0f);
  model.set_parameter("embedding.weight", ones.data(), 256 * 12);
  for (const double validation : {0.0, 0.1}) {
    FitOptions options;
    options.validation_fraction = validation;
    const History history = Trainer(model, preset.train_config).fit(kText, options);
    CHECK(history.best_loss > std::log(256.0));
    CHECK_EQ(history.notes.size(), 1);
    CHECK(history.notes.at(0).find("above ln 256 = 5.5452") != std::string::npos);
  }
}

// A recurrence that doubles its state at every byte: fine within a window, and not finite after a
// validation text of some hundred bytes.
void test_validation_that_is_not_finite() {
  Model model(tiny());
  std::vector<float> A(100, 0.0f);
  for (size_t i = 0; i < 10; ++i) A[i * 11] = 2.0f;
  model.set_parameter("layers.0.A", A.data(), 100);
  slm::TrainConfig how = tiny().train_config;
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

}  // namespace

int main() {
  test_report();
  test_best_is_kept();
  test_best_is_said();
  for (const slm::Cell cell : {slm::Cell::dense, slm::Cell::gated}) {
    test_windows_know_what_is_before(cell, slm::Sampling::random);
    test_windows_know_what_is_before(cell, slm::Sampling::stream);
  }
  test_no_validation_and_stop();
  test_short_texts();
  test_warmup();
  test_bad_options();
  test_not_finite();
  test_validation_that_is_not_finite();
  test_loss_above_uniform();
  return test_result();
}
