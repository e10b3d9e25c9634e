// A run that is stopped and resumed equals the run that never stopped, bit for bit.
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "check.h"
#include "io/checkpoint.h"
#include "model_impl.h"
#include "slm/slm.h"
#include "temporary_folder.h"
#include "train/run.h"

using slm::Error;
using slm::ErrorKind;
using slm::FitOptions;
using slm::History;
using slm::Model;
using slm::Progress;

namespace {

constexpr int64_t kSteps = 11;

slm::Preset tiny(slm::Sampling sampling) {
  slm::Preset preset;
  preset.config.embed_dim = 7;
  preset.config.state_dim = 5;
  preset.config.num_layers = 2;
  preset.train_config.seq_len = 16;
  preset.train_config.batch_size = 4;
  preset.train_config.warmup_steps = 2;
  preset.train_config.steps = kSteps;
  preset.train_config.sampling = sampling;
  return preset;
}

// All that a run carries from step to step: rows of n-grams, what stands before a window, dropout
// that is drawn by the number of the step.
slm::Preset tiny_ngrams(slm::Sampling sampling) {
  slm::Preset preset = tiny(sampling);
  preset.config.cell = slm::Cell::gated;
  preset.config.residual = true;
  preset.config.norm = slm::Norm::rms;
  preset.config.head_bias = true;
  preset.config.ngram_orders = {3, 5};
  preset.config.ngram_buckets = 32;
  preset.config.match_lengths = {2, 4};
  preset.config.match_span = 100;
  preset.train_config.dropout = preset.train_config.input_noise = slm::kAutoDropout;
  preset.train_config.min_lr_ratio = 0.1f;
  return preset;
}

std::string make_text() {
  std::string text;
  for (int i = 0; i < 400; ++i) text += std::to_string(i * i) + (i % 7 ? " " : ",\n");
  return text;
}

const std::string kText = make_text();

FitOptions make_options(const std::string& checkpoint) {
  FitOptions options;
  options.eval_every = 4;
  options.checkpoint = checkpoint;
  return options;
}

std::vector<float> parameters(const Model& model) {
  std::vector<float> out(static_cast<size_t>(model.num_parameters()));
  model.parameters(out.data());
  return out;
}

// The results of a run, without times.
struct Outcome {
  std::vector<float> parameters;
  std::vector<float> latest;  // in the checkpoint
  std::string evaluations;
  int64_t steps, best_step;

  bool operator==(const Outcome& other) const {
    return parameters == other.parameters && latest == other.latest &&
           evaluations == other.evaluations && steps == other.steps && best_step == other.best_step;
  }
};

Outcome outcome(const Model& model, const History& history, const std::string& checkpoint) {
  Outcome out{parameters(model), slm::load_checkpoint(checkpoint).weights, "", history.steps,
              history.best_step};
  for (const slm::Evaluation& evaluation : history.evaluations) {
    char line[100];
    std::snprintf(line, sizeof line, "%ld %.17g %.17g\n", static_cast<long>(evaluation.step),
                  evaluation.train_loss, evaluation.validation_loss);
    out.evaluations += line;
  }
  return out;
}

// A model that has nothing in common with the run that it goes on with.
Model stranger(const slm::Preset& preset) { return Model(preset, {99, "cpu", 1}); }

Outcome resume(const slm::Preset& preset, FitOptions options) {
  Model model = stranger(preset);
  options.resume = true;
  const History history = slm::Trainer(model, preset.train_config).fit(kText, options);
  return outcome(model, history, options.checkpoint);
}

Outcome uninterrupted(const slm::Preset& preset, const FitOptions& options) {
  Model model(preset);
  const History history = slm::Trainer(model, preset.train_config).fit(kText, options);
  return outcome(model, history, options.checkpoint);
}

void test_stopped_by_callback(const slm::Preset& preset, FitOptions options,
                              const Outcome& expected) {
  for (int64_t stop = 1; stop <= kSteps; ++stop) {
    Model model(preset);
    const auto callback = [stop](const Progress& progress) { return progress.step != stop; };
    slm::Trainer(model, preset.train_config).fit(kText, options, callback);
    CHECK(resume(preset, options) == expected);
    CHECK(resume(preset, options) == expected);  // there is nothing left to do
  }
}

// As after a crash: what goes on is the checkpoint of some step before.
void test_killed(const slm::Preset& preset, FitOptions options, const TemporaryFolder& folder,
                 const Outcome& expected) {
  options.checkpoint_seconds = 0;
  std::vector<std::string> copies;
  Model model(preset);
  slm::Trainer(model, preset.train_config).fit(kText, options, [&](const Progress& progress) {
    if (progress.step > 1) copies.push_back(folder.read("run.ckpt"));
    return true;
  });
  CHECK_EQ(copies.size(), kSteps - 1);
  for (const std::string& copy : copies) {
    folder.write("run.ckpt", copy);
    CHECK(resume(preset, options) == expected);
  }
}

// The clock, which is looked at before and within everything, is where Ctrl-C strikes: the pause
// makes sure that the next poll is not skipped as too early.
void test_interrupted(const slm::Preset& preset, const FitOptions& options,
                      const Outcome& expected) {
  int interrupted = 0;
  for (int strike = 3; strike < 60; strike += 4) {
    Model model(preset);
    slm::Trainer::Impl trainer(slm::impl_of(model), preset.train_config);
    bool struck = false;
    int looks = 0;
    const auto clock = [&] {
      if (++looks == strike) {
        std::this_thread::sleep_for(std::chrono::milliseconds(25));
        struck = true;
      }
      return 0.0;
    };
    const slm::Interrupt interrupt([&struck] { return struck; });
    try {
      slm::fit_text(trainer, kText, options, {}, clock);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::cancelled);
      ++interrupted;
      struck = false;
      CHECK(resume(preset, options) == expected);
    }
  }
  CHECK(interrupted > 10);
}

void test_callback_throws(const slm::Preset& preset, const FitOptions& options,
                          const Outcome& expected) {
  Model model(preset);
  try {
    slm::Trainer(model, preset.train_config)
        .fit(kText, options, [](const Progress& progress) -> bool {
          if (progress.step == 6) throw std::out_of_range("mine");
          return true;
        });
    CHECK(false);
  } catch (const std::out_of_range&) {
    CHECK(resume(preset, options) == expected);
  }
}

// Also where the checkpoint cannot be written any more, the model ends with its best weights.
void test_best_without_a_disk(slm::Preset preset) {
  std::optional<TemporaryFolder> folder(std::in_place, "test_resume_gone");
  FitOptions options = make_options(folder->path("run.ckpt"));
  options.validation = "\xff\xfe\xfd";  // likelier before training than after
  options.eval_every = 1;
  preset.train_config.learning_rate = 0.3f;
  Model model(preset);
  std::vector<float> best;
  const auto callback = [&](const Progress& progress) -> bool {
    if (progress.is_best) best = parameters(model);
    if (progress.step < 6) return true;
    CHECK(parameters(model) != best);
    folder.reset();
    throw std::out_of_range("mine");
  };
  CHECK_THROWS(ErrorKind::io, "there is no folder",
               slm::Trainer(model, preset.train_config).fit(kText, options, callback));
  CHECK(parameters(model) == best);
}

// The number of steps is fixed by the clock after a fifth of the time; what is resumed keeps it.
void test_by_time(const slm::Preset& preset, const TemporaryFolder& folder) {
  FitOptions options = make_options(folder.path("run.ckpt"));
  options.seconds = 1;
  const auto run = [&](bool resume, int64_t stop, double step_seconds) {
    options.resume = resume;
    Model model = stranger(preset);
    slm::Trainer::Impl trainer(slm::impl_of(model), preset.train_config);
    double time = 0;
    const auto callback = [&](const Progress& progress) {
      time += step_seconds;
      return progress.step != stop;
    };
    const History history =
        slm::fit_text(trainer, kText, options, callback, [&time] { return time; });
    return outcome(model, history, options.checkpoint);
  };
  run(false, 25, 0.01);
  const std::string copy = folder.read("run.ckpt");
  const Outcome expected = run(true, 0, 0.01);
  CHECK(expected.steps > 90);
  folder.write("run.ckpt", copy);
  for (int64_t stop = 30; stop < 60; stop += 13) run(true, stop, 0.002);
  CHECK(run(true, 0, 0.001) == expected);

  // Stopped before there is a plan.
  run(false, 1, 0.01);
  CHECK_EQ(slm::load_checkpoint(options.checkpoint).state.planned_steps, 0);
  CHECK_NEAR(static_cast<double>(run(true, 0, 0.01).steps), 100, 2);
}

void test_no_validation_and_patience(slm::Preset preset, FitOptions options) {
  options.validation_fraction = 0;
  const Outcome expected = uninterrupted(preset, options);
  test_stopped_by_callback(preset, options, expected);
  options.validation_fraction = 0.1;
  options.validation = "\xff\xfe\xfd";
  options.eval_every = 1;
  options.patience = 2;
  preset.train_config.learning_rate = 0.3f;
  const Outcome impatient = uninterrupted(preset, options);
  CHECK(impatient.steps < kSteps);
  test_stopped_by_callback(preset, options, impatient);
}

template <typename Change>
void check_refused(const char* sentence, const FitOptions& finished, Change change) {
  slm::Preset preset = tiny(slm::Sampling::random);
  FitOptions options = finished;
  options.resume = true;
  std::string text = kText;
  change(preset, options, text);
  Model model = stranger(preset);
  const std::vector<float> before = parameters(model);
  CHECK_THROWS(ErrorKind::training, sentence,
               slm::Trainer(model, preset.train_config).fit(text, options));
  CHECK(parameters(model) == before);
}

void test_refused(const TemporaryFolder& folder) {
  const FitOptions options = make_options(folder.path("run.ckpt"));
  const slm::Preset preset = tiny(slm::Sampling::random);
  uninterrupted(preset, options);
  const auto refused = [&](const char* sentence, auto change) {
    check_refused(sentence, options, change);
  };
  using P = slm::Preset;
  using O = FitOptions;
  using T = std::string;
  refused("its text is \"", [](P&, O&, T& text) { text[5] ^= 1; });
  refused("its text is \"", [](P&, O&, T& text) { text += text; });
  refused("its validation is \"", [](P&, O&, T& text) { text.back() ^= 1; });
  refused("and this run's is \"none\"", [](P&, O& o, T& text) {
    o.validation_fraction = 0;
    text.resize(static_cast<size_t>(0.9 * static_cast<double>(text.size())));
  });
  refused("its length is {\"steps\":11}, and this run's is {\"steps\":12}",
          [](P&, O& o, T&) { o.steps = 12; });
  refused("and this run's is {\"seconds\":2.5}", [](P&, O& o, T&) { o.seconds = 2.5; });
  refused("its eval_every is 4, and this run's is 5", [](P&, O& o, T&) { o.eval_every = 5; });
  refused("its batch_size is 4, and this run's is 3",
          [](P& p, O&, T&) { p.train_config.batch_size = 3; });
  refused("its seq_len is 16", [](P& p, O&, T&) { p.train_config.seq_len = 17; });
  refused("its sampling is \"random\"",
          [](P& p, O&, T&) { p.train_config.sampling = slm::Sampling::stream; });
  refused("its learning_rate is ", [](P& p, O&, T&) { p.train_config.learning_rate *= 2; });
  refused("its dropout is 0.0, and this run's is -1.0",
          [](P& p, O&, T&) { p.train_config.dropout = slm::kAutoDropout; });
  refused("its seed is 0", [](P& p, O&, T&) { p.train_config.seed = 1; });
  refused("its state_dim is 5", [](P& p, O&, T&) { p.config.state_dim = 6; });
}

void test_bad_files(const TemporaryFolder& folder) {
  const slm::Preset preset = tiny(slm::Sampling::random);
  FitOptions options = make_options(folder.path("run.ckpt"));
  Model model(preset);
  slm::Trainer trainer(model, preset.train_config);
  options.resume = true;
  options.checkpoint = folder.path("missing.ckpt");
  CHECK_THROWS(ErrorKind::io, "missing.ckpt", trainer.fit(kText, options));
  options.checkpoint = folder.path("model.safetensors");
  model.save(options.checkpoint);
  CHECK_THROWS(ErrorKind::format, "is not a checkpoint", trainer.fit(kText, options));
  CHECK_THROWS(ErrorKind::format, "checkpoint", Model::load(folder.path("run.ckpt")));

  const std::string whole = folder.read("run.ckpt");
  for (size_t size = 0; size < whole.size(); size += whole.size() / 50) {
    options.checkpoint = folder.write("cut.ckpt", whole.substr(0, size));
    CHECK_THROWS(ErrorKind::format, "cut.ckpt", trainer.fit(kText, options));
  }
  const auto changed = [&](const std::string& from, const std::string& to, const char* sentence) {
    std::string bytes = whole;
    const size_t at = bytes.find(from);
    CHECK(at != std::string::npos && from.size() == to.size());
    if (at == std::string::npos) return;
    bytes.replace(at, from.size(), to);
    options.checkpoint = folder.write("changed.ckpt", bytes);
    CHECK_THROWS(ErrorKind::format, sentence, trainer.fit(kText, options));
  };
  changed("\\\"step\\\":11", "\\\"step\\\":-1",
          "the field \"step\" of the state of slm.checkpoint");
  changed("\\\"step\\\":11", "\\\"step\\\":99", "which cannot be");
  changed("\\\"state\\\":", "\\\"stale\\\":", "the field \"state\" of slm.checkpoint");
  changed("optimizer.m.layers.0.A", "optimizer.m.layers.7.A", "optimizer.m.layers.0.A");
  CHECK_EQ(folder.list(), "changed.ckpt cut.ckpt model.safetensors run.ckpt ");
}

// The longest run has more positions than 64 bits count.
void test_last_step_of_the_longest_run(const TemporaryFolder& folder) {
  slm::Preset preset = tiny(slm::Sampling::stream);
  preset.config.norm = slm::Norm::rms;
  preset.train_config.seq_len = 512;
  preset.train_config.dropout = preset.train_config.locked_dropout = slm::kAutoDropout;
  preset.train_config.input_noise = slm::kAutoDropout;
  FitOptions options = make_options(folder.path("long.ckpt"));
  options.steps = slm::kMaxSteps;
  Model model(preset);
  slm::Trainer trainer(model, preset.train_config);
  const auto stop = [](const Progress&) { return false; };
  CHECK_EQ(trainer.fit(kText, options, stop).config.dropout, 0.5f);

  slm::Checkpoint checkpoint = slm::load_checkpoint(options.checkpoint);
  checkpoint.state.step = slm::kMaxSteps - 1;
  checkpoint.state.loss_count = slm::kMaxSteps - 1;
  save_checkpoint(options.checkpoint, slm::TensorTable(preset.config), checkpoint);
  options.resume = true;
  const History history = trainer.fit(kText, options);
  CHECK_EQ(history.steps, slm::kMaxSteps);
  CHECK(!history.stopped);
  CHECK(history.bytes_per_second > 0);
}

void test_fingerprint() {
  CHECK_EQ(slm::fingerprint(""), "cbf29ce484222325");  // the published vectors of FNV-1a
  CHECK_EQ(slm::fingerprint("a"), "af63dc4c8601ec8c");
  CHECK_EQ(slm::fingerprint("foobar"), "85944171f73967e8");
  std::string large(size_t{65} << 20, 'x');
  const std::string before = slm::fingerprint(large);
  large.back() = 'y';
  CHECK(slm::fingerprint(large) != before);
}

}  // namespace

int main() {
  const TemporaryFolder folder("test_resume");
  for (const slm::Sampling sampling : {slm::Sampling::random, slm::Sampling::stream}) {
    const slm::Preset preset = tiny(sampling);
    const FitOptions options = make_options(folder.path("run.ckpt"));
    const Outcome expected = uninterrupted(preset, options);
    CHECK_EQ(expected.steps, kSteps);
    test_stopped_by_callback(preset, options, expected);
    test_killed(preset, options, folder, expected);
    test_interrupted(preset, options, expected);
    test_callback_throws(preset, options, expected);
    test_by_time(preset, folder);
    test_no_validation_and_patience(preset, options);
  }
  for (const slm::Sampling sampling : {slm::Sampling::random, slm::Sampling::stream}) {
    const slm::Preset preset = tiny_ngrams(sampling);
    const FitOptions options = make_options(folder.path("run.ckpt"));
    const Outcome expected = uninterrupted(preset, options);
    test_stopped_by_callback(preset, options, expected);
    test_interrupted(preset, options, expected);
  }
  test_best_without_a_disk(tiny(slm::Sampling::random));
  test_refused(folder);
  test_bad_files(folder);
  test_last_step_of_the_longest_run(folder);
  test_fingerprint();
  return test_result();
}
