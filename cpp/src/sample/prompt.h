#pragma once
#include <string_view>

#include "slm/model.h"

namespace slm {

// A model that has read a prompt up to its last byte, which is still to be fed.
struct PromptState {
  State state;  // of one text
  uint8_t last_byte;
};

// Reads "\n" and then `prompt`, in memory that does not depend on the prompt's length.
PromptState read_prompt(const Model& model, std::string_view prompt);

// A state of `rows` texts that are all where the text of `one` is.
State repeat_state(const Model& model, const State& one, int64_t rows);

}  // namespace slm
