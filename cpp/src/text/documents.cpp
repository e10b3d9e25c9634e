#include "text/documents.h"

namespace slm {

std::string escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (needs_escape(static_cast<uint8_t>(c))) escaped += static_cast<char>(kEscapeByte);
    escaped += c;
  }
  return escaped;
}

bool is_escaped(std::string_view escaped, size_t position) {
  size_t start = position;
  while (start > 0 && static_cast<uint8_t>(escaped[start - 1]) == kEscapeByte) --start;
  return (position - start) % 2 == 1;
}

bool is_end(std::string_view escaped, size_t position) {
  return static_cast<uint8_t>(escaped[position]) == kEndByte && !is_escaped(escaped, position);
}

}  // namespace slm
