#include "train/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "numerics/philox.h"
#include "text/beginnings.h"
#include "text/documents.h"
#include "train/plan.h"
#include "util/require.h"

namespace slm {
namespace {

constexpr size_t kMaxValidationBytes = size_t{1} << 20;  // cut off by a fraction
constexpr size_t kShortDocument = 256;                   // with its end: which is not cut

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

struct HeldOut {
  std::vector<size_t> whole;         // numbers of documents
  size_t cut_document = 0, cut = 0;  // the end of this document from that byte on; 0: of none
};

// A place to cut about `missing` bytes off the end of a document, at most half of it, at the
// beginning of a paragraph or line if one is near.
size_t find_cut(std::string_view document, size_t missing) {
  missing = std::clamp(missing, size_t{2}, document.size() / 2);  // at least a byte and the end
  const size_t from = document.size() - missing;
  const size_t cut = find_beginning(document.substr(0, from + missing / 2), from, true);
  return cut > 0 ? cut : from - (is_escaped(document, from) ? 1 : 0);
}

// Goes through the documents in random order until `wanted` bytes are held out. The first document
// that is not short and too large for what is missing ends that. Where less than half is held out
// by then, the rest comes from it: all of it if it is short or at most twice as large, or else its
// end. At least one whole document is left, unless there is only one, which may be cut.
HeldOut draw_documents(const std::vector<std::string_view>& documents, size_t wanted,
                       uint64_t seed) {
  HeldOut drawn;
  std::vector<size_t> numbers(documents.size());
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  const Philox random(seed, PhiloxStream::validation);
  size_t bytes = 0;
  for (size_t i = 0; i < numbers.size() && bytes < wanted; ++i) {
    std::swap(numbers[i], numbers[i + random.below(numbers.size() - i, i)]);
    const size_t size = documents[numbers[i]].size();
    size_t missing = wanted - bytes;
    if (size > missing && size > kShortDocument && bytes >= wanted / 2.0) break;
    const bool last = i + 1 == numbers.size();
    const size_t twice = std::min(2 * missing, kMaxValidationBytes - bytes);
    if (size <= std::max(twice, kShortDocument)) {
      if (last) break;
      drawn.whole.push_back(numbers[i]);
      bytes += size;
      continue;
    }
    if (last && !drawn.whole.empty()) {
      missing += documents[drawn.whole.back()].size();
      drawn.whole.pop_back();
    }
    drawn.cut_document = numbers[i];
    drawn.cut = find_cut(documents[numbers[i]], missing);
    break;
  }
  return drawn;
}

void note_size(const Split& split, const HeldOut& drawn, size_t num_documents, size_t wanted,
               std::vector<std::string>& notes) {
  const size_t size = split.validation.size();
  if (size <= 2 * wanted && wanted <= 2 * size) return;
  const size_t held_out = drawn.whole.size() + (drawn.cut > 0 ? 1 : 0);
  notes.push_back("validation: " + std::to_string(held_out) + " of " +
                  std::to_string(num_documents) + " documents, " + bytes_in_words(size) +
                  " instead of " + std::to_string(wanted));
}

Split draw_split(std::string_view encoded, const FitOptions& options, uint64_t seed,
                 std::vector<std::string>& notes) {
  Split split;
  split.documents = true;
  split.training = encoded;
  split.validation = options.validation;
  if (!options.validation.empty() || options.validation_fraction == 0) return split;

  const std::vector<std::string_view> documents = documents_of(encoded);
  const double share = options.validation_fraction * static_cast<double>(encoded.size());
  const size_t wanted = std::min(static_cast<size_t>(std::ceil(share)), kMaxValidationBytes);
  const HeldOut drawn = draw_documents(documents, wanted, seed);
  if (drawn.whole.empty() && drawn.cut == 0) {
    notes.push_back("there is one document, too few to hold some out, so there is no validation");
    return split;
  }
  std::vector<bool> stays(documents.size(), true);
  std::string training, validation;
  training.reserve(encoded.size());
  for (const size_t i : drawn.whole) {
    stays[i] = false;
    validation += documents[i];
  }
  if (drawn.cut > 0) {
    stays[drawn.cut_document] = false;
    validation += documents[drawn.cut_document].substr(drawn.cut);
  }
  for (size_t i = 0; i < documents.size(); ++i)
    if (stays[i]) training += documents[i];
  // Last, so that nothing follows it as if it ended there.
  if (drawn.cut > 0) training += documents[drawn.cut_document].substr(0, drawn.cut);
  split.training = keep(std::move(training), split);
  split.validation = keep(std::move(validation), split);
  note_size(split, drawn, documents.size(), wanted, notes);
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
