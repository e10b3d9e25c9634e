#include "util/utf8.h"

#include <algorithm>

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

bool is_continuation(uint8_t byte) { return (byte & 0xC0) == 0x80; }

// Whether `bytes`, one to four of them, begin a character of at least as many bytes.
bool may_start(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (bytes.size() > character_size(byte(0))) return false;
  if (bytes.size() > 1 && !second_fits(byte(0), byte(1))) return false;
  for (size_t i = 2; i < bytes.size(); ++i)
    if (!is_continuation(byte(i))) return false;
  return true;
}

}  // namespace

size_t utf8_character(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t size = character_size(lead);
  if (size == 1) return lead < 0x80 ? 1 : 0;
  return text.size() >= size && may_start(text.substr(0, size)) ? size : 0;
}

size_t whole_characters(std::string_view bytes) {
  for (size_t held = std::min<size_t>(3, bytes.size()); held > 0; --held) {
    const std::string_view tail = bytes.substr(bytes.size() - held);
    if (held < character_size(static_cast<uint8_t>(tail[0])) && may_start(tail))
      return bytes.size() - held;
  }
  return bytes.size();
}

void Utf8Checker::push(uint8_t byte) {
  if (!valid_) return;
  character_[size_++] = static_cast<char>(byte);
  const std::string_view bytes(character_, size_);
  if (utf8_character(bytes) == size_)
    size_ = 0;
  else if (whole_characters(bytes) > 0)
    valid_ = false;
}

}  // namespace slm
