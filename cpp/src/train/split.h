#pragma once
// The split of a text into the bytes that a run trains on and those that validate it.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slm/documents.h"
#include "slm/trainer.h"

namespace slm {

// The argument of Trainer::fit: a text, or documents as text/documents.h says.
struct TrainingText {
  TrainingText(std::string_view text) : bytes(text) {}
  TrainingText(const std::string& text) : bytes(text) {}
  TrainingText(const Documents& text) : bytes(text.encoded()), documents(true) {}

  std::string_view bytes;
  bool documents = false;
};

// As the model is to read them: escaped where it is one of documents.
struct Split {
  std::string_view training, validation;  // validation may be empty
  bool documents = false;                 // each whole document of the two is followed by its end
  std::vector<std::unique_ptr<const std::string>> copies;  // what is no part of the caller's text
};

// The validation text is the options', or is cut off: the end of a text; of documents, some that
// the seed draws. The last of them may be cut: its end is held out, and its beginning, which no end
// follows, is the last of the training text. `escaped`: the model is one of documents.
// Error(config) for an empty text.
Split split_text(const TrainingText& text, const FitOptions& options, bool escaped, uint64_t seed,
                 std::vector<std::string>& notes);

}  // namespace slm
