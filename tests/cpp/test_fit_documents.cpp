// Runs on documents: what is held out, that nothing crosses from one to the next, and resuming.
#include <algorithm>
#include <map>
#include <set>

#include "all_options.h"
#include "evaluate/score.h"
#include "fit_case.h"
#include "model_impl.h"
#include "temporary_folder.h"
#include "text/documents.h"

using slm::Documents;

namespace {

const std::string kEnd(1, static_cast<char>(slm::kEndByte));

Documents list(const std::vector<std::string>& texts) {
  Documents documents;
  for (const std::string& text : texts) documents.add(text);
  return documents;
}

std::vector<std::string> numbered(size_t count) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) texts.push_back("number " + std::to_string(1000 + i) + " .");
  return texts;
}

slm::Preset tiny_with_all_options() {
  slm::Preset preset = tiny();
  preset.config = with_all_options(preset.config);
  preset.train_config.sampling = slm::Sampling::stream;
  return preset;
}

slm::Split split(const Documents& documents, const FitOptions& options = {}, uint64_t seed = 0) {
  std::vector<std::string> notes;
  slm::Split split = slm::split_text(documents, options, true, seed, notes);
  CHECK(notes.empty());
  CHECK(split.documents);
  return split;
}

// The documents of an encoded text, without their ends.
std::multiset<std::string> parts(std::string_view encoded) {
  std::multiset<std::string> found;
  for (size_t begin = 0, i = 0; i < encoded.size(); ++i)
    if (slm::is_end(encoded, i)) {
      found.emplace(encoded.substr(begin, i - begin));
      begin = i + 1;
    }
  return found;
}

void test_split() {
  const std::vector<std::string> texts = numbered(1000);
  const Documents documents = list(texts);
  std::map<std::string, int> times_held_out;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const slm::Split drawn = split(documents, {}, seed);
    CHECK_EQ(drawn.training.size() + drawn.validation.size(), documents.encoded().size());
    const std::multiset<std::string> held_out = parts(drawn.validation);
    CHECK_EQ(held_out.size(), 100);
    std::multiset<std::string> all = parts(drawn.training);
    all.insert(held_out.begin(), held_out.end());
    CHECK(all == std::multiset<std::string>(texts.begin(), texts.end()));
    for (const std::string& text : held_out) ++times_held_out[text];
    CHECK_EQ(split(documents, {}, seed).validation, drawn.validation);
  }
  // 4 times each on average, from the whole list.
  CHECK(times_held_out.size() > 960);
  for (const auto& [text, times] : times_held_out) CHECK(times <= 15);

  FitOptions options;
  options.validation_fraction = 0.999;
  CHECK_EQ(parts(split(list({"aaa", "bbb"}), options).training).size(), 1);
  options.validation_fraction = 0;
  CHECK_EQ(split(documents, options).training, documents.encoded());
  options.validation = documents.encoded();
  CHECK_EQ(split(list({"aaa"}), options).validation, documents.encoded());
}

// Documents that have more than the wanted tenth of all bytes, or are too small to make it up.
void test_large_documents() {
  std::string large;
  for (int i = 0; large.size() < 150000; ++i) large += "line " + std::to_string(i) + "\xff\n";
  const std::vector<std::string> texts = {"first " + large, "second " + large, "tiny"};
  const Documents documents = list(texts);
  std::set<char> cut;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const slm::Split drawn = split(documents, {}, seed);
    CHECK_EQ(drawn.training.size() + drawn.validation.size(), documents.encoded().size());
    const double share = static_cast<double>(drawn.validation.size()) /
                         static_cast<double>(documents.encoded().size());
    CHECK(share > 0.095 && share < 0.101);
    // The validation ends as the cut document does; its beginning is the end of the training text.
    const size_t at = drawn.validation.find("line ");
    CHECK(at == 0 || drawn.validation.substr(0, at) == "tiny" + kEnd);
    CHECK(slm::is_end(drawn.validation, drawn.validation.size() - 1));
    CHECK_EQ(drawn.training.back(), '\n');
    CHECK_EQ(parts(drawn.training).size() + parts(drawn.validation).size(), 3);
    cut.insert(drawn.training[0]);
  }
  CHECK(cut.size() == 2);

  // Without a line to begin at, nothing is cut within an escape, and one whole document is left.
  const std::string bytes((2 << 20) + 1, static_cast<char>(slm::kEndByte));
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const Documents two = list({"a" + bytes, "tiny"});
    const slm::Split drawn = split(two, {}, seed);
    CHECK(parts(drawn.training).count("tiny") == 1);
    CHECK_EQ(std::string(drawn.training.substr(5)) + std::string(drawn.validation),
             two.encoded().substr(0, two.encoded().size() - 5));
    CHECK(!slm::is_escaped(two.encoded(), drawn.training.size() - 5));
    CHECK(drawn.validation.size() <= (1 << 20));
  }
}

void test_sizes_of_held_out_documents() {
  // Of one that is most of the text, the beginning stays.
  std::vector<std::string> texts = numbered(20);
  texts.push_back(std::string(5000, 'x'));
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const slm::Split drawn = split(list(texts), {}, seed);
    CHECK(drawn.training.find(std::string(4400, 'x')) != std::string_view::npos);
    CHECK(parts(drawn.training).size() >= 1);
  }
  CHECK_EQ(parts(split(list(numbered(15))).validation).size(), 2);
  // Short ones are held out whole, which may be more than was wanted.
  std::vector<std::string> few;
  std::set<std::string> held_out;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const slm::Split drawn = slm::split_text(list({"a", "bbbb", "cccccc"}), {}, true, seed, few);
    CHECK_EQ(parts(drawn.validation).size(), 1);
    CHECK_EQ(parts(drawn.training).size(), 2);
    held_out.insert(*parts(drawn.validation).begin());
  }
  CHECK_EQ(held_out.size(), 3);
  CHECK(std::count(few.begin(), few.end(), "validation: 1 of 3 documents, 7 bytes instead of 2") >
        0);

  // Never more than half of one is cut off, whatever is wanted.
  FitOptions most;
  most.validation_fraction = 0.95;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const Documents two = list({std::string(400000, 'x'), std::string(700000, 'y')});
    const slm::Split drawn = slm::split_text(two, most, true, seed, few);
    CHECK(drawn.training.size() >= 350000);
    CHECK(drawn.validation.size() >= 350000);
  }

  // One alone is cut, too, unless it is short.
  const slm::Split one = split(list({std::string(2000, 'x')}));
  CHECK_EQ(one.training, std::string(2001 - 201, 'x'));
  CHECK_EQ(one.validation, std::string(200, 'x') + kEnd);

  std::vector<std::string> notes;
  CHECK(slm::split_text(list({"only"}), {}, true, 0, notes).validation.empty());
  CHECK_EQ(notes.at(0),
           "there is one document, too few to hold some out, so there is no validation");
  CHECK_THROWS(ErrorKind::config, "the text to train on is empty",
               slm::split_text(list({"", ""}), {}, true, 0, notes));
}

// The mean over all bytes and ends, each document scored by itself.
double validation_loss(const Model& model, const std::string& encoded) {
  double nats = 0;
  for (const std::string& part : parts(encoded)) {
    const std::string document = part + kEnd;
    nats += slm::score_text(slm::impl_of(model), slm::bytes(document), document.size(), nullptr)
                .nats_per_byte *
            static_cast<double>(document.size());
  }
  return nats / static_cast<double>(encoded.size());
}

void test_fit() {
  const Documents documents = list(numbered(100));
  for (const slm::Sampling sampling : {slm::Sampling::random, slm::Sampling::stream}) {
    slm::Preset preset = tiny_with_all_options();
    preset.train_config.sampling = sampling;
    preset.train_config.cold_fraction = 0.25f;
    Model model(preset);
    CHECK(!model.config().documents);
    const History history = Trainer(model, preset.train_config).fit(documents);
    CHECK(model.config().documents);
    CHECK_EQ(history.steps, 30);
    CHECK(history.notes.empty());
    const slm::Split drawn = split(documents);
    CHECK_NEAR(history.best_loss, validation_loss(model, std::string(drawn.validation)), 1e-6);
  }
  Model model(tiny());
  CHECK_THROWS(ErrorKind::config, "the text to train on is empty",
               Trainer(model, tiny().train_config).fit(Documents()));
  CHECK(!model.config().documents);

  // A window may span several documents, so it is as long as all of them allow.
  const History history = Trainer(model, tiny().train_config).fit(list({"ab", "cd", "ef", "gh"}));
  CHECK_EQ(history.config.seq_len, 9);
}

// The losses of a window that reads the documents, time step by time step.
std::vector<float> losses(const slm::Preset& preset, const Documents& documents) {
  Model model(preset);
  slm::TrainConfig how = preset.train_config;
  how.batch_size = 1;
  how.seq_len = static_cast<int64_t>(documents.encoded().size());
  Trainer::Impl trainer(slm::impl_of(model), how);
  slm::WindowSampler sampler(documents.encoded(), how, true);
  std::vector<float> losses(static_cast<size_t>(how.seq_len));
  // From a state that none of them may know anything of.
  const slm::Backend& backend = *slm::impl_of(model).backend;
  const std::vector<float> values(static_cast<size_t>(slm::state_size(preset.config, 1)), 1.0f);
  const auto state = backend.make_buffer(static_cast<int64_t>(values.size()));
  backend.write(values.data(), state->size(), *state, 0);
  trainer.begin(sampler.window(0), state.get(), {}, losses.data());
  return losses;
}

void test_nothing_crosses(slm::Cell cell) {
  slm::Preset preset = tiny_with_all_options();
  preset.config.cell = cell;
  const std::vector<std::string> texts = {"ababab", "to be or not to be", "b", "bab to be bab"};
  std::vector<float> apart;
  for (const std::string& text : texts) {
    const std::vector<float> alone = losses(preset, list({text}));
    apart.insert(apart.end(), alone.begin(), alone.end());
  }
  const std::vector<float> together = losses(preset, list(texts));
  CHECK_EQ(together.size(), apart.size());
  for (size_t i = 0; i < apart.size(); ++i) CHECK_NEAR(together[i], apart[i], 1e-5);

  const std::vector<float> reversed = losses(preset, list({texts[1], texts[0]}));
  const size_t n = texts[0].size() + 1, m = texts[1].size() + 1;
  for (size_t i = 0; i < n; ++i) CHECK_NEAR(reversed[m + i], apart[i], 1e-5);
  for (size_t i = 0; i < m; ++i) CHECK_NEAR(reversed[i], apart[n + i], 1e-5);
}

// A model of documents reads a single text escaped, and with no end.
void test_text() {
  const std::string text = repeated(
                        "a\xff"
                        "b\xfe"
                        "c\xff\xff",
                        600),
                    escaped = slm::escape(text);
  slm::Preset preset = tiny();
  preset.config.documents = true;
  FitOptions options;
  options.validation = "\xff";
  Model model(preset);
  const History history = Trainer(model, preset.train_config).fit(text, options);
  CHECK_NEAR(history.best_loss,
             slm::score_text(slm::impl_of(model), slm::bytes("\xfe\xff"), 2, nullptr).nats_per_byte,
             1e-9);
  Model plain(tiny());
  options.validation = "\xfe\xff";
  Trainer(plain, tiny().train_config).fit(escaped, options);
  CHECK(parameters(model) == parameters(plain));

  // It is cut before it is escaped.
  std::vector<std::string> notes;
  const slm::Split cut = slm::split_text(std::string_view("a\xff\xff\xff"), {}, true, 0, notes);
  CHECK_EQ(cut.training, "a\xfe\xff\xfe\xff");
  CHECK_EQ(cut.validation, "\xfe\xff");
}

void test_resume() {
  const TemporaryFolder folder("test_fit_documents");
  const Documents documents = list(numbered(60));
  for (const float cold : {0.0f, 0.02f, 0.5f}) {
    slm::Preset preset = tiny_with_all_options();
    preset.train_config.cold_fraction = cold;
    FitOptions options;
    options.checkpoint = folder.path("run.ckpt.safetensors");
    Model whole(preset), part(preset, {99, "cpu", 1});
    const History expected = Trainer(whole, preset.train_config).fit(documents, options);
    {
      Model stopped(preset);
      Trainer(stopped, preset.train_config).fit(documents, options, [](const Progress& progress) {
        return progress.step < 13;
      });
    }
    options.resume = true;
    const History resumed = Trainer(part, preset.train_config).fit(documents, options);
    CHECK(parameters(part) == parameters(whole));
    CHECK(part.config().documents);
    CHECK_EQ(resumed.best_loss, expected.best_loss);

    Model other(preset);
    std::vector<std::string> texts = numbered(60);
    texts[7] = "NUMBER 1007 .";
    CHECK_THROWS(ErrorKind::training, "its text is",
                 Trainer(other, preset.train_config).fit(list(texts), options));
    CHECK(!other.config().documents);
    CHECK_THROWS(ErrorKind::training, "its documents is true",
                 Trainer(other, preset.train_config).fit(kText, options));
  }
}

void test_note_of_few_bytes() {
  const auto note = [](const std::vector<std::string>& texts) {
    Model model(tiny());
    FitOptions options;
    options.steps = 1;
    options.validation_fraction = 0;
    return Trainer(model, tiny().train_config).fit(list(texts), options).notes.at(0);
  };
  CHECK_EQ(note({"a", "b", "c"}),
           "the text to train on has 6 bytes with the ends of its 3 documents, so the window is "
           "6 bytes instead of 16");
  CHECK(note({"abc"}).find("has 4 bytes with the end of its document, so") != std::string::npos);
}

}  // namespace

int main() {
  test_split();
  test_large_documents();
  test_sizes_of_held_out_documents();
  test_fit();
  test_nothing_crosses(slm::Cell::gated);
  test_nothing_crosses(slm::Cell::dense);
  test_text();
  test_resume();
  test_note_of_few_bytes();
  return test_result();
}
