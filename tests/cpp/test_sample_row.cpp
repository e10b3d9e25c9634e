// One sample, fed symbol by symbol: its text, its end, and what may be sampled next.
#include "check.h"
#include "model_impl.h"
#include "sample/sample_row.h"
#include "text/documents.h"

using slm::ByteSet;
using slm::ErrorKind;
using slm::FinishReason;
using slm::SampleOptions;
using slm::SampleRow;

namespace {

slm::Model small_model(bool documents) {
  slm::Config config;
  config.embed_dim = config.state_dim = 3;
  config.num_layers = 1;
  config.documents = documents;
  return slm::Model(config);
}

const slm::Model kPlain = small_model(false), kDocuments = small_model(true);

struct Result {
  std::string text;
  std::optional<FinishReason> reason;
  std::string stop;
};

// Feeds symbols until the sample ends.
Result result_of(const slm::Model& model, const std::string& symbols, const SampleOptions& options,
                 int64_t max_bytes, const std::string& prompt = "") {
  const slm::Net& net = impl_of(model);
  const slm::Candidates candidates = find_candidates(net, options);
  const slm::PromptState start = read_prompt(model, prompt);
  SampleRow row(options, candidates, net.config.documents, start, max_bytes);
  std::string text = row.take();
  for (size_t i = 0; i < symbols.size() && !row.ended(); ++i) {
    row.push(static_cast<uint8_t>(symbols[i]));
    text += row.take();
  }
  return {text, row.reason(), row.stop()};
}

void check(const Result& result, const std::string& text, std::optional<FinishReason> reason,
           const std::string& stop = "") {
  CHECK_EQ(result.text, text);
  CHECK(result.reason == reason);
  CHECK_EQ(result.stop, stop);
}

void test_reasons() {
  SampleOptions options;
  options.stop = {"bc", "xbc", "zzz"};
  check(result_of(kPlain, "aaaa", options, 3), "aaa", FinishReason::length);
  check(result_of(kPlain, "aaaa", options, 0), "", FinishReason::length);
  check(result_of(kPlain, "aaaa", options, 9), "aaaa", std::nullopt);
  check(result_of(kPlain, "abcd", options, 9), "a", FinishReason::stop, "bc");
  check(result_of(kPlain, "axbcd", options, 9), "a", FinishReason::stop, "xbc");
  check(result_of(kPlain, "abcd", options, 3), "a", FinishReason::stop, "bc");
  check(result_of(kPlain, "abzz", options, 4), "abzz", FinishReason::length);
  options.include_stop = true;
  check(result_of(kPlain, "axbcd", options, 9), "axbc", FinishReason::stop, "xbc");
}

void test_ends() {
  const SampleOptions options;
  check(result_of(kDocuments,
                  "ab\xff"
                  "c",
                  options, 9),
        "ab", FinishReason::end);
  check(result_of(kDocuments, "\xff", options, 9), "", FinishReason::end);
  check(result_of(kDocuments, "ab\xff", options, 2), "ab", FinishReason::length);
  check(result_of(kDocuments,
                  "a\xfe\xff"
                  "b\xfe\xfe\xff",
                  options, 9),
        "a\xff"
        "b\xfe",
        FinishReason::end);
  check(result_of(kDocuments,
                  "a\xfe\xff"
                  "b",
                  options, 2),
        "a\xff", FinishReason::length);
  check(result_of(kPlain,
                  "ab\xff\xfe"
                  "c",
                  options, 5),
        "ab\xff\xfe"
        "c",
        FinishReason::length);
  SampleOptions stops;
  stops.stop = {"\xff"};
  check(result_of(kDocuments, "a\xfe\xff", stops, 9), "a", FinishReason::stop, "\xff");
}

ByteSet set_of(std::initializer_list<int> bytes) {
  ByteSet set;
  for (const int byte : bytes) set.add(static_cast<uint8_t>(byte));
  return set;
}

void test_candidates() {
  const auto found = [](const slm::Model& model, const SampleOptions& options) {
    return find_candidates(impl_of(model), options);
  };
  SampleOptions options;
  CHECK(found(kPlain, options).anywhere == ByteSet::all());
  CHECK(found(kDocuments, options).anywhere == ByteSet::all());
  CHECK(found(kDocuments, options).after_escape == set_of({0xFE, 0xFF}));
  options.ignore_end = true;
  CHECK(found(kPlain, options).anywhere == ByteSet::all());
  CHECK(!found(kDocuments, options).anywhere.has(slm::kEndByte));

  options = {};
  options.allowed = ByteSet("ab");
  CHECK(found(kPlain, options).anywhere == ByteSet("ab"));
  CHECK(found(kDocuments, options).anywhere == set_of({'a', 'b', 0xFF}));
  CHECK(found(kDocuments, options).after_escape.empty());
  options.allowed->add(0xFF);
  CHECK(found(kDocuments, options).anywhere == set_of({'a', 'b', 0xFE, 0xFF}));
  CHECK(found(kDocuments, options).after_escape == set_of({0xFF}));

  const float ban = -std::numeric_limits<float>::infinity();
  options.logit_bias = {{'b', ban}, {0xFF, ban}, {'a', -1e30f}};
  CHECK(found(kPlain, options).anywhere == ByteSet("a"));
  CHECK(found(kDocuments, options).anywhere == ByteSet("a"));  // 0xFF is the end there, too
  options.logit_bias['a'] = ban;
  for (const slm::Model* model : {&kPlain, &kDocuments})
    CHECK_THROWS(ErrorKind::config, "no byte is left to be sampled", found(*model, options));
  options.logit_bias.erase(0xFF);
  options.allowed = ByteSet("a");
  CHECK(found(kDocuments, options).anywhere == set_of({0xFF}));
  options.ignore_end = true;
  CHECK_THROWS(ErrorKind::config, "no byte is left", found(kDocuments, options));
}

void test_what_is_repeated() {
  const SampleOptions options;
  for (const slm::Model* model : {&kPlain, &kDocuments}) {
    const slm::Net& net = impl_of(*model);
    const slm::Candidates candidates = find_candidates(net, options);
    const slm::PromptState prompt = read_prompt(*model, "to \xfe\xff");
    SampleRow row(options, candidates, net.config.documents, prompt, 99);
    for (const char symbol : std::string("be\xfe\xff")) row.push(static_cast<uint8_t>(symbol));
    ByteSet expected("to be");
    if (model == &kPlain) expected.add(ByteSet("\xfe\xff"));
    CHECK(row.repeated() == expected);
    CHECK(row.candidates() == candidates.anywhere);
    row.push(slm::kEscapeByte);
    const bool escapes = model == &kDocuments;
    CHECK(row.candidates() == (escapes ? candidates.after_escape : candidates.anywhere));
  }
}

// Every cut of texts of characters of one to four bytes.
void test_whole_characters() {
  SampleOptions exact;
  exact.whole_characters = false;
  for (const std::string& c : {std::string("\xd0\xb6"), std::string("\xe2\x82\xac"),
                               std::string("\xf0\x9f\x98\x80"), std::string("z")}) {
    const std::string text = "a" + c + c + c + c + "b" + c + c;
    for (size_t cut = 0; cut <= 12; ++cut) {
      size_t whole = 0;
      for (const std::string& part : {std::string("a"), c, c, c, c, std::string("b"), c, c})
        if (whole + part.size() <= cut)
          whole += part.size();
        else
          break;
      const auto max_bytes = static_cast<int64_t>(cut);
      for (const slm::Model* model : {&kPlain, &kDocuments}) {
        const std::string rest = text + std::string(12, 'x');
        const std::string expected =
            cut <= text.size() ? text.substr(0, whole) : rest.substr(0, cut);
        check(result_of(*model, rest, {}, max_bytes, c), expected, FinishReason::length);
        check(result_of(*model, rest, exact, max_bytes, c), rest.substr(0, cut),
              FinishReason::length);
      }
    }
  }
}

void test_texts_that_are_not_utf8() {
  const auto cut = [](const std::string& symbols, int64_t max_bytes, const std::string& prompt) {
    return result_of(kPlain, symbols, {}, max_bytes, prompt).text;
  };
  CHECK_EQ(cut("caf\xe9 \xe9t\xe9 \xe9", 10, ""), "caf\xe9 \xe9t\xe9 \xe9");  // latin-1
  CHECK_EQ(cut("x\xe9", 2, "\xe9t"), "x\xe9");                                // prompt in latin-1
  CHECK_EQ(cut("caf\xe9", 4, ""), "caf");        // this may be the start of a character
  CHECK_EQ(cut("\xb6\xd0", 2, "\xd0"), "\xb6");  // the prompt ends within a character
  CHECK_EQ(cut("\x9f", 1, "\xf0"), "\x9f");      // of which nothing is taken back
  SampleOptions stops;
  stops.stop = {"\xb6"};
  check(result_of(kPlain, "a\xd0\xb6", stops, 9), "a\xd0", FinishReason::stop, "\xb6");
  check(result_of(kDocuments, "a\xd0\xff", {}, 9), "a\xd0", FinishReason::end);
}

}  // namespace

int main() {
  test_reasons();
  test_ends();
  test_candidates();
  test_what_is_repeated();
  test_whole_characters();
  test_texts_that_are_not_utf8();
  return test_result();
}
