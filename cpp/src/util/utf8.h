#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace slm {

// Length in bytes of the well-formed UTF-8 character at the start of `text`; 0 if there is none.
size_t utf8_character(std::string_view text);

// Length of the prefix of `bytes` that does not end inside a UTF-8 character. At most three bytes
// are left out, and only ones that a following byte could still complete: what is not UTF-8 counts
// as whole, byte by byte. `bytes` must start at a character.
size_t whole_characters(std::string_view bytes);

// Whether a text that comes byte by byte is UTF-8 so far. Its last character may be incomplete.
class Utf8Checker {
 public:
  void push(uint8_t byte);
  bool valid() const { return valid_; }

 private:
  char character_[4] = {};
  size_t size_ = 0;  // of the incomplete character
  bool valid_ = true;
};

}  // namespace slm
