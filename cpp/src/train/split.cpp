#include "train/split.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "numerics/philox.h"
#include "text/documents.h"
#include "train/plan.h"
#include "util/require.h"

namespace slm {
namespace {

constexpr size_t kMaxValidationBytes = size_t{1} << 20;  // cut off by a fraction

std::string_view keep(std::string text, Split& split) {
  split.copies.push_back(std::make_unique<const std::string>(std::move(text)));
  return *split.copies.back();
}

Split cut_text(std::string_view text, const FitOptions& options, std::vector<std::string>& notes) {
  Split split;
  split.training = text;
  split.validation = options.validation;
  if (!options.validation.empty() || options.validation_fraction == 0) return split;

  const double kept = (1 - options.validation_fraction) * static_cast<double>(text.size());
  size_t cut = static_cast<size_t>(std::floor(kept));
  cut = std::max(cut, text.size() - std::min(text.size(), kMaxValidationBytes));
  if (cut == 0 || cut == text.size()) {
    notes.push_back("the text has " + bytes_in_words(text.size()) +
                    ", too few to cut off a validation part of " +
                    number_text(options.validation_fraction) + ", so there is no validation");
    return split;
  }
  split.training = text.substr(0, cut);
  split.validation = text.substr(cut);
  return split;
}

std::string_view escape_if_needed(std::string_view text, Split& split) {
  const auto needs = [](char c) { return needs_escape(static_cast<uint8_t>(c)); };
  return std::any_of(text.begin(), text.end(), needs) ? keep(escape(text), split) : text;
}

// The documents with their ends.
std::vector<std::string_view> documents_of(std::string_view encoded) {
  std::vector<std::string_view> documents;
  size_t begin = 0;
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (!is_end(encoded, i)) continue;
    documents.push_back(encoded.substr(begin, i + 1 - begin));
    begin = i + 1;
  }
  return documents;
}

// Numbers of documents, in random order, until they have `wanted` bytes; at least one is left. A
// document of more than that would be too large a part of the text, unless all are.
std::vector<size_t> draw_documents(const std::vector<std::string_view>& documents, size_t wanted,
                                   uint64_t seed) {
  const auto shorter = [](auto a, auto b) { return a.size() < b.size(); };
  const size_t least = std::min_element(documents.begin(), documents.end(), shorter)->size();
  std::vector<size_t> numbers;
  for (size_t i = 0; i < documents.size(); ++i)
    if (documents[i].size() <= std::max(wanted, least)) numbers.push_back(i);
  const size_t most = std::min(numbers.size(), documents.size() - 1);
  const Philox random(seed, PhiloxStream::validation);
  size_t drawn = 0;
  for (size_t bytes = 0; drawn < most && bytes < wanted; ++drawn) {
    std::swap(numbers[drawn], numbers[drawn + random.below(numbers.size() - drawn, drawn)]);
    bytes += documents[numbers[drawn]].size();
  }
  numbers.resize(drawn);
  return numbers;
}

Split draw_split(std::string_view encoded, const FitOptions& options, uint64_t seed,
                 std::vector<std::string>& notes) {
  Split split;
  split.documents = true;
  split.training = encoded;
  split.validation = options.validation;
  if (!options.validation.empty() || options.validation_fraction == 0) return split;

  const std::vector<std::string_view> documents = documents_of(encoded);
  if (documents.size() < 2) {
    notes.push_back("there is one document, too few to hold some out, so there is no validation");
    return split;
  }
  const double share = options.validation_fraction * static_cast<double>(encoded.size());
  const size_t wanted = std::min(static_cast<size_t>(std::ceil(share)), kMaxValidationBytes);
  std::vector<bool> is_drawn(documents.size());
  std::string training, validation;
  for (const size_t i : draw_documents(documents, wanted, seed)) {
    is_drawn[i] = true;
    validation += documents[i];
  }
  if (validation.size() > kMaxValidationBytes)
    validation.resize(kMaxValidationBytes - (is_escaped(validation, kMaxValidationBytes) ? 1 : 0));
  training.reserve(encoded.size());
  for (size_t i = 0; i < documents.size(); ++i)
    if (!is_drawn[i]) training += documents[i];
  split.training = keep(std::move(training), split);
  split.validation = keep(std::move(validation), split);
  return split;
}

}  // namespace

Split split_text(const TrainingText& text, const FitOptions& options, bool escaped, uint64_t seed,
                 std::vector<std::string>& notes) {
  if (text.bytes.empty())
    throw Error(ErrorKind::config, "the text to train on is empty; at least one byte is needed");
  if (text.documents) return draw_split(text.bytes, options, seed, notes);
  Split split = cut_text(text.bytes, options, notes);
  if (!escaped) return split;
  split.training = escape_if_needed(split.training, split);
  split.validation = escape_if_needed(split.validation, split);
  return split;
}

}  // namespace slm
