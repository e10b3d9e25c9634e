// A model knows the bytes of the texts it was trained on, and so do its files.
#include "fit_case.h"
#include "io/checkpoint.h"
#include "io/model_file.h"
#include "temporary_folder.h"
#include "text/bytes_of.h"
#include "text/sample_blocks.h"

using slm::bytes_of;
using slm::ByteSet;

namespace {

const std::string kOther = repeated("0123456789\xfe\xff", 2000);

FitOptions steps(int64_t count) {
  FitOptions options;
  options.steps = count;
  options.validation_fraction = 0;
  return options;
}

Model trained(const std::string& text) {
  Model model(tiny());
  Trainer(model, tiny().train_config).fit(text, steps(2));
  return model;
}

ByteSet both() {
  ByteSet set(kText);
  set.add(ByteSet(kOther));
  return set;
}

void test_sets() {
  ByteSet set("abc\xff");
  CHECK(set.has('a') && set.has(255) && !set.has('d') && !set.has(0));
  set.remove('a');
  CHECK(set == ByteSet("bc\xff") && set != ByteSet("bc"));
  CHECK(ByteSet().empty() && !set.empty() && !ByteSet::all().empty());
  for (int byte = 0; byte < 256; ++byte) {
    CHECK(ByteSet::all().has(static_cast<uint8_t>(byte)));
    const std::string one(1, static_cast<char>(byte));
    CHECK(bytes_of(one) == ByteSet(one));
  }
  CHECK(bytes_of("").empty());
}

void test_documents() {
  CHECK(bytes_of("a\xff"
                 "b\xff",
                 true) == ByteSet("ab"));
  CHECK(bytes_of("a\xfe\xff"
                 "b\xff",
                 true) == ByteSet("ab\xff"));
  CHECK(bytes_of("\xfe\xfe\xff", true) == ByteSet("\xfe"));
  std::string across(1 << 20, 'a');  // an escape at the end of a block
  across.back() = '\xfe';
  CHECK(bytes_of(across + "\xff", true) == ByteSet("a\xff"));
}

void test_training() {
  Model model(tiny());
  CHECK(!model.seen_bytes());
  Trainer trainer(model, tiny().train_config);
  CHECK_THROWS(ErrorKind::config, "empty", trainer.fit("", steps(2)));
  CHECK(!model.seen_bytes());
  bool known_in_callback = false;
  trainer.fit(kText, steps(2), [&](const Progress&) {
    known_in_callback = model.seen_bytes() == ByteSet(kText);
    return true;
  });
  CHECK(known_in_callback);
  CHECK(model.seen_bytes() == ByteSet(kText));
  trainer.fit(kOther, steps(1));
  CHECK(model.seen_bytes() == both());
}

// Of a text that is too large to be read before the run, the bytes between the sampled blocks are
// known once a window has had them.
void test_large_text() {
  std::string text(size_t{65} << 20, 'x');
  std::vector<bool> sampled(text.size());
  for (const std::string_view block : slm::sample_blocks(text)) {
    const auto start = block.data() - text.data();
    std::fill_n(sampled.begin() + start, block.size(), true);
  }
  for (size_t i = 0; i < text.size(); ++i)
    if (!sampled[i]) text[i] = 'y';
  slm::TrainConfig config = tiny().train_config;
  config.batch_size = 256;
  Model model(tiny());
  Trainer(model, config).fit(text, steps(3));
  CHECK(model.seen_bytes() == ByteSet("xy"));
}

// The validation text is not what the model is trained on.
void test_validation_is_not_seen() {
  Model model(tiny());
  FitOptions options = steps(2);
  options.validation_fraction = 0.5;
  Trainer(model, tiny().train_config).fit(kText + repeated("%", 2000), options);
  CHECK(model.seen_bytes() == ByteSet(kText));
}

void test_run_that_fails_at_its_first_step() {
  Model model = trained(kText);
  slm::TrainConfig config = tiny().train_config;
  config.learning_rate = 1e-3f;
  for (const slm::TensorInfo& tensor : model.tensors()) {
    const std::vector<float> huge(static_cast<size_t>(tensor.size), 1e38f);
    model.set_parameter(tensor.name, huge.data(), tensor.size);
  }
  CHECK(!model.seen_bytes());  // of these weights nothing is known
  CHECK_THROWS(ErrorKind::training, "finite", Trainer(model, config).fit(kOther, steps(2)));
  CHECK(!model.seen_bytes());

  Model fresh = trained(kText);
  CHECK_THROWS(ErrorKind::cancelled, "stopped", [&] {
    const slm::Interrupt interrupt([] { return true; });
    Trainer(fresh, config).fit(kOther, steps(2));
  }());
  CHECK(fresh.seen_bytes() == ByteSet(kText));
}

void test_other_ways_to_train() {
  const auto* bytes = reinterpret_cast<const uint8_t*>(kOther.data());
  Model model(tiny());
  Trainer(model, tiny().train_config).step(bytes, bytes + 4, 4, 4);
  CHECK(!model.seen_bytes());
  Trainer(model, tiny().train_config).fit(kText, steps(1));
  CHECK(!model.seen_bytes());  // it may know more than the bytes of this text

  Model known = trained(kText);
  Trainer(known, tiny().train_config).step(bytes, bytes + 16, 16, 1);
  CHECK(known.seen_bytes() == both());
  slm::Preset documents = tiny();
  documents.config.documents = true;
  Model lines(documents);
  Trainer by_line(lines, documents.train_config);
  slm::Documents texts;
  for (int i = 0; i < 100; ++i) texts.add("To be");
  by_line.fit(texts, steps(1));
  by_line.step(bytes, bytes + 16, 16, 1);
  CHECK(lines.seen_bytes() == ByteSet("To be0123456789"));

  Model adapted = trained(kText);
  adapted.score_adapting(bytes, 100);
  CHECK(adapted.seen_bytes() == ByteSet(kText));
  adapted.adapt(bytes, 100);
  CHECK(adapted.seen_bytes() == both());
}

void test_files(const TemporaryFolder& folder) {
  const std::string path = folder.path("a"), again = folder.path("b");
  for (const char* dtype : {"float32", "float16", "int8"}) {
    trained(kOther).save(path, dtype);
    Model loaded = Model::load(path);
    CHECK(loaded.seen_bytes() == ByteSet(kOther));
    Trainer(loaded, tiny().train_config).fit(kText, steps(1));
    CHECK(loaded.seen_bytes() == both());
  }
  Model(tiny()).save(path);  // untrained, which its file says
  Model loaded = Model::load(path);
  CHECK(!loaded.seen_bytes());
  Trainer(loaded, tiny().train_config).fit(kText, steps(1));
  CHECK(loaded.seen_bytes() == ByteSet(kText));

  const slm::TensorTable table(tiny().config);
  const std::vector<float> values = parameters(loaded);
  save_model_file(path, tiny().config, {}, table, values.data());  // as an earlier slm did
  Model old = Model::load(path);
  CHECK(!old.seen_bytes());
  Trainer(old, tiny().train_config).fit(kText, steps(1));
  CHECK(!old.seen_bytes());
  old.save(again);
  CHECK(folder.read("b").find("slm.bytes") == std::string::npos);
}

void test_malformed(const TemporaryFolder& folder) {
  Model model(tiny());
  model.save(folder.path("a"));
  const std::string good = folder.read("a"), digits(64, '0');
  const size_t at = good.find(digits);
  CHECK(at != std::string::npos);
  for (const char* bad : {"g", "A", " ", "-"}) {
    std::string damaged = good;
    damaged.replace(at + 63, 1, bad);
    CHECK_THROWS(ErrorKind::format, "slm.bytes in ", Model::load(folder.write("b", damaged)));
  }
  std::string shorter = good;  // a digit less, and a space more behind the header's JSON
  shorter.erase(at, 1);
  const size_t header_end = shorter.find("}}") + 2;
  CHECK_THROWS(ErrorKind::format, "slm.bytes in ",
               Model::load(folder.write("b", shorter.insert(header_end, " "))));
}

void test_resume(const TemporaryFolder& folder) {
  FitOptions options = steps(4);
  options.checkpoint = folder.path("run.ckpt");
  Model model = trained(kOther);
  Trainer(model, tiny().train_config).fit(kText, options, [](const Progress& progress) {
    return progress.step < 2;
  });
  CHECK(slm::load_checkpoint_header(options.checkpoint).seen_bytes == both());
  options.resume = true;
  Model resumed(tiny());
  Trainer(resumed, tiny().train_config).fit(kText, options);
  CHECK(resumed.seen_bytes() == both());
}

}  // namespace

int main() {
  const TemporaryFolder folder("test_seen_bytes");
  test_sets();
  test_documents();
  test_training();
  test_large_text();
  test_validation_is_not_seen();
  test_run_that_fails_at_its_first_step();
  test_other_ways_to_train();
  test_files(folder);
  test_malformed(folder);
  test_resume(folder);
  return test_result();
}
