#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "slm/model.h"
#include "util/utf8.h"

namespace slm {

// A model that has read a prompt up to its last byte, which is still to be fed.
struct PromptState {
  State state;  // of one text
  uint8_t last_byte;
  ByteSet bytes;  // of the prompt; in a model of documents without those that need an escape
  Utf8Checker characters;
};

// Reads "\n" and then `prompt`, in memory that does not depend on the prompt's length, but for a
// model of documents, which reads an escaped copy.
PromptState read_prompt(const Model& model, std::string_view prompt);

// The state of as many texts as there are prompts, each where that prompt's is.
State joined_state(const Model& model, const std::vector<std::shared_ptr<PromptState>>& prompts);

}  // namespace slm
