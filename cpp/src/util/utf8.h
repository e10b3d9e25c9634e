#pragma once
#include <cstddef>
#include <string_view>

namespace slm {

// Length of the prefix of `bytes` that does not end inside a UTF-8 character. At most three bytes
// are left out, and only ones that a following byte could still complete: what is not UTF-8 counts
// as whole, byte by byte. `bytes` must start at a character.
size_t whole_characters(std::string_view bytes);

}  // namespace slm
