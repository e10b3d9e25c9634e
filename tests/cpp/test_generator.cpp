// Generation from a small model, against a loop written by hand and against itself.
#include <sys/resource.h>

#include "check.h"
#include "numerics/philox.h"
#include "numerics/sampling.h"
#include "samples.h"
#include "slm/generator.h"

using slm::ErrorKind;
using slm::Generator;
using slm::SampleOptions;

namespace {

slm::Model small_model(int threads = 1) {
  slm::Config config;
  config.embed_dim = 24;
  config.state_dim = 17;
  slm::ModelOptions options;
  options.seed = 5;
  options.device = "cpu";
  options.threads = threads;
  return slm::Model(config, options);
}

SampleOptions seeded(uint64_t seed, float temperature = 0.3f) {
  SampleOptions options;
  options.temperature = temperature;
  options.top_p = 0.95f;
  options.seed = seed;
  return options;
}

// Samples as docs/sampling.md says, one byte at a time.
std::string by_hand(const slm::Model& model, const SampleOptions& options, std::string_view prompt,
                    int64_t max_bytes, uint32_t sample) {
  slm::State state = model.new_state();
  float logits[slm::kVocabSize], probs[slm::kVocabSize];
  const auto feed = [&](uint8_t byte) { model.step(&byte, state, logits); };
  feed('\n');
  for (const char c : prompt) feed(static_cast<uint8_t>(c));
  const slm::Philox random(options.seed, slm::PhiloxStream::sample, sample);
  const slm::SampleRequest at{0, 0, 0, allowed_bytes(options, {})};
  std::string text;
  while (static_cast<int64_t>(text.size()) < max_bytes) {
    slm::next_byte_distribution(logits, options, slm::LogitRules(options), at, probs);
    text += static_cast<char>(slm::sample_byte(probs, random.uniform_double(text.size())));
    feed(static_cast<uint8_t>(text.back()));
  }
  return text;
}

void test_against_a_loop_by_hand() {
  const slm::Model model = small_model();
  std::string every_byte;
  for (int i = 0; i < 1000; ++i) every_byte += static_cast<char>(i);  // four windows
  for (const std::string& prompt : {std::string(), std::string("R"), std::string("ROMEO:"),
                                    every_byte.substr(0, 257), every_byte}) {
    const SampleOptions options = seeded(prompt.size());
    const std::vector<std::string> samples =
        texts_of(Generator(model, options).generate_samples(prompt, 60, 3));
    for (uint32_t i = 0; i < 3; ++i) CHECK(samples[i] == by_hand(model, options, prompt, 60, i));
  }
}

void test_samples_do_not_depend_on_their_number() {
  const slm::Model model = small_model();
  const std::vector<std::string> many =
      texts_of(Generator(model, seeded(9)).generate_samples("First", 40, 70));
  CHECK_EQ(many.size(), 70);
  CHECK(Generator(model, seeded(9)).generate("First", 40) == many[0]);
  for (const int64_t count : {1, 2, 7, 65}) {
    const auto few = texts_of(Generator(model, seeded(9)).generate_samples("First", 40, count));
    CHECK(few == std::vector<std::string>(many.begin(), many.begin() + count));
  }
  for (size_t i = 1; i < many.size(); ++i) CHECK(many[i] != many[0]);
  for (const int threads : {2, 5}) {
    const slm::Model other = small_model(threads);
    CHECK(texts_of(Generator(other, seeded(9)).generate_samples("First", 40, 70)) == many);
  }
}

void test_seed_length_and_temperature() {
  const slm::Model model = small_model();
  const std::string text = Generator(model, seeded(1)).generate("", 100);
  CHECK_EQ(text.size(), 100);
  CHECK(Generator(model, seeded(1)).generate("", 100) == text);
  CHECK(Generator(model, seeded(2)).generate("", 100) != text);
  CHECK(Generator(model, seeded(1)).generate("", 30) == text.substr(0, 30));
  CHECK_EQ(Generator(model, seeded(1)).generate("x", 0), "");
  CHECK(Generator(model, seeded(1, 0)).generate("", 100) ==
        Generator(model, seeded(2, 0)).generate("", 100));
}

void test_streaming() {
  const slm::Model model = small_model();
  Generator generator(model, seeded(3));
  std::string pieces;
  const std::string text = generator.generate("a", 100, [&](std::string_view bytes) {
    CHECK(!bytes.empty());
    pieces += bytes;
    return true;
  });
  CHECK(pieces == text);

  CHECK_EQ(generator.next(), "");  // nothing was started
  generator.start("a", 100);
  std::string joined;
  for (std::string piece = generator.next(); !piece.empty(); piece = generator.next()) {
    joined += piece;
    generator.generate("other", 3);  // does not disturb it
  }
  CHECK(joined == text);
  CHECK_EQ(generator.next(), "");

  int calls = 0;
  const std::string part =
      generator.generate("a", 100, [&](std::string_view) { return ++calls < 4; });
  CHECK_EQ(calls, 4);
  CHECK(part.size() < text.size() && text.compare(0, part.size(), part) == 0);
}

void test_stop_strings() {
  const slm::Model model = small_model();
  const auto whole = texts_of(Generator(model, seeded(4)).generate_samples("", 80, 3));
  SampleOptions options = seeded(4);
  options.stop = {whole[0].substr(20, 2), whole[1].substr(10, 3), "not in any of them"};
  const auto cut = texts_of(Generator(model, options).generate_samples("", 80, 3));
  for (size_t i = 0; i < whole.size(); ++i) {
    const size_t end = std::min(whole[i].find(options.stop[0]), whole[i].find(options.stop[1]));
    CHECK(cut[i] == whole[i].substr(0, end));
  }
  CHECK(cut[0].size() <= 20 && cut[1].size() <= 10);
  CHECK(Generator(model, options).generate("", 80) == cut[0]);
}

void test_many_prompts() {
  const slm::Model model = small_model();
  Generator generator(model, seeded(12));
  std::vector<std::string> prompts;
  for (int i = 0; i < 45; ++i)
    prompts.push_back(std::string(static_cast<size_t>(i * 7), 'x') + "y");
  prompts[3] = "";
  CHECK(generator.generate_batch({}, 20).empty());
  const auto batch = texts_of(generator.generate_batch(prompts, 20, 3));
  CHECK_EQ(batch.size(), 3 * prompts.size());
  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto alone = texts_of(generator.generate_samples(prompts[i], 20, 3));
    CHECK(alone ==
          std::vector<std::string>(batch.begin() + static_cast<std::ptrdiff_t>(3 * i),
                                   batch.begin() + static_cast<std::ptrdiff_t>(3 * i + 3)));
  }
}

void test_reasons() {
  const slm::Model model = small_model();
  SampleOptions options = seeded(4);
  options.stop = {Generator(model, options).generate("", 80).substr(20, 2)};
  Generator generator(model, options);
  CHECK(!generator.finish_reason());
  const auto continue_ = [](std::string_view) { return true; };
  CHECK_EQ(generator.generate("", 5, continue_).size(), 5);
  CHECK(generator.finish_reason() == slm::FinishReason::length);
  generator.generate("", 80);
  CHECK(generator.finish_reason() == slm::FinishReason::stop);
  CHECK_EQ(generator.stop(), options.stop[0]);
  generator.generate("", 80, [](std::string_view) { return false; });
  CHECK(generator.finish_reason() == slm::FinishReason::cancelled);
  CHECK_EQ(generator.stop(), "");

  generator.start("", 80);
  CHECK(!generator.finish_reason());
  while (!generator.next().empty()) {
  }
  CHECK(generator.finish_reason() == slm::FinishReason::stop);
  CHECK_EQ(generator.stop(), options.stop[0]);
  const slm::Sample sample = generator.generate_samples("", 80, 1)[0];
  CHECK(sample.finish_reason == slm::FinishReason::stop && sample.stop == options.stop[0]);
}

void test_allowed_and_biased() {
  const slm::Model model = small_model();
  SampleOptions options = seeded(5);
  options.allowed = slm::ByteSet("abc");
  options.logit_bias['b'] = -std::numeric_limits<float>::infinity();
  const std::string text = Generator(model, options).generate("", 200);
  CHECK_EQ(text.find_first_not_of("ac"), std::string::npos);
  CHECK(text.find('a') != std::string::npos && text.find('c') != std::string::npos);
  options.allowed = slm::ByteSet("b");
  CHECK_THROWS(ErrorKind::config, "no byte is left", Generator(model, options));

  options = {};  // greedy, and what was written before becomes least probable
  options.temperature = 0;
  options.repetition_penalty = 1e30f;
  options.logit_bias['q'] = 1;
  std::string prompt = "abc";
  const std::string distinct = Generator(model, options).generate(prompt, 100);
  const slm::ByteSet seen(prompt);
  CHECK(!seen.has(static_cast<uint8_t>(distinct[0])));
}

void test_end_of_a_document() {
  slm::Config config;
  config.documents = true;
  const slm::Model model(config);
  SampleOptions options;
  options.logit_bias[0xFF] = 1e9f;
  Generator generator(model, options);
  CHECK_EQ(generator.generate("a", 50), "");
  CHECK(generator.finish_reason() == slm::FinishReason::end);
  options.ignore_end = true;
  options.allowed = slm::ByteSet("xyz");
  Generator on(model, options);
  CHECK_EQ(on.generate("a", 50).size(), 50);
  CHECK(on.finish_reason() == slm::FinishReason::length);
  // A prompt is read with its escapes.
  options.logit_bias.clear();
  CHECK(Generator(model, options).generate("a\xff", 50) ==
        by_hand(model, options, "a\xfe\xff", 50, 0));
}

void test_interrupt() {
  const slm::Model model = small_model();
  Generator generator(model, seeded(6));
  const std::string text = generator.generate("", 20);
  generator.start("", 20);
  std::string joined = generator.next();
  const auto interrupted = [](auto&& call) {
    const slm::Interrupt interrupt([] { return true; });
    CHECK_THROWS(ErrorKind::cancelled, "stopped", call());
  };
  interrupted([&] { return generator.next(); });
  interrupted([&] { return generator.generate("", 20); });
  interrupted([&] { return generator.generate_samples("prompt", 20, 2); });
  for (std::string piece = generator.next(); !piece.empty(); piece = generator.next()) {
    joined += piece;
  }
  CHECK(joined == text);  // a stopped call loses nothing
}

void test_errors() {
  slm::Model model = small_model();
  Generator generator(model);
  CHECK_THROWS(ErrorKind::config, "max_bytes is -1", generator.generate("", -1));
  CHECK_THROWS(ErrorKind::config, "max_bytes is -1", generator.start("", -1));
  CHECK_THROWS(ErrorKind::config, "max_bytes is -1", generator.generate_samples("", -1, 1));
  CHECK_THROWS(ErrorKind::config, "num_samples is 0", generator.generate_samples("", 1, 0));
  CHECK_THROWS(ErrorKind::config, "num_samples is -3", generator.generate_samples("", 1, -3));
  CHECK_THROWS(ErrorKind::config, "num_samples is 9223372036854775807",
               generator.generate_samples("", 1, INT64_MAX));
  SampleOptions options;
  options.top_p = 2;
  CHECK_THROWS(ErrorKind::config, "top_p is 2", Generator(model, options));

  for (const slm::TensorInfo& tensor : model.tensors()) {
    const std::vector<float> values(static_cast<size_t>(tensor.size), 1e38f);
    model.set_parameter(tensor.name, values.data(), tensor.size);
  }
  CHECK_THROWS(ErrorKind::training, "must be finite", generator.generate("x", 1));
  CHECK_THROWS(ErrorKind::training, "must be finite", generator.generate_samples("x", 1, 2));
}

int64_t peak_kilobytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

void test_long_prompt_needs_no_memory() {
  const slm::Model model = small_model();
  const std::string prompt(1 << 20, 'a');
  const int64_t before = peak_kilobytes();
  CHECK_EQ(Generator(model, seeded(8)).generate(prompt, 5).size(), 5);
  CHECK(peak_kilobytes() - before < 4096);  // one float per byte would be as much
}

}  // namespace

int main() {
  test_against_a_loop_by_hand();
  test_samples_do_not_depend_on_their_number();
  test_seed_length_and_temperature();
  test_streaming();
  test_stop_strings();
  test_many_prompts();
  test_reasons();
  test_allowed_and_biased();
  test_end_of_a_document();
  test_interrupt();
  test_errors();
  test_long_prompt_needs_no_memory();
  return test_result();
}
