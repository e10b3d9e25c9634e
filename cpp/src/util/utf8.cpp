#include "util/utf8.h"

#include <algorithm>
#include <cstdint>

namespace slm {
namespace {

// Bytes of the character that starts with `lead`; 1 for ASCII and for what cannot start one.
size_t character_size(uint8_t lead) {
  if (lead < 0xC2 || lead > 0xF4) return 1;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// The bounds shut out overlong forms, surrogates and what lies above U+10FFFF.
bool second_fits(uint8_t lead, uint8_t second) {
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return low <= second && second <= high;
}

// Whether `tail`, one to three bytes, is the beginning of a character and not all of it.
bool is_unfinished(std::string_view tail) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(tail[i]); };
  if (tail.size() >= character_size(byte(0))) return false;
  if (tail.size() > 1 && !second_fits(byte(0), byte(1))) return false;
  return tail.size() < 3 || (byte(2) & 0xC0) == 0x80;
}

}  // namespace

size_t whole_characters(std::string_view bytes) {
  for (size_t held = std::min<size_t>(3, bytes.size()); held > 0; --held) {
    if (is_unfinished(bytes.substr(bytes.size() - held))) return bytes.size() - held;
  }
  return bytes.size();
}

}  // namespace slm
