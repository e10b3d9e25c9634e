#pragma once
#include <cstddef>
#include <string_view>

namespace slm {

// Length in bytes of the well-formed UTF-8 character at the start of `text`; 0 if there is none.
size_t utf8_character(std::string_view text);

// Length of the prefix of `bytes` that does not end inside a UTF-8 character. At most three bytes
// are left out, and only ones that a following byte could still complete: what is not UTF-8 counts
// as whole, byte by byte. `bytes` must start at a character.
size_t whole_characters(std::string_view bytes);

}  // namespace slm
