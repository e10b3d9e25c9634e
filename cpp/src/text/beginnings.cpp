#include "text/beginnings.h"

#include <algorithm>

#include "text/documents.h"

namespace slm {
namespace {

constexpr size_t kLookAhead = 4096;
constexpr size_t kNone = std::string_view::npos;
constexpr size_t kLongestCharacter = 4;

size_t find_document(std::string_view text, size_t from, size_t end) {
  for (size_t i = from; i < end; ++i)
    if (is_end(text, i)) return i + 1;
  return kNone;
}

size_t find_line(std::string_view text, size_t from, size_t end) {
  const size_t newline = text.substr(0, end).find('\n', from);
  return newline == kNone ? kNone : newline + 1;
}

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

size_t find_paragraph(std::string_view text, size_t from, size_t end) {
  for (size_t line = find_line(text, from, end); line != kNone && line < end;
       line = find_line(text, line, end)) {
    if (!is_line_end(text[line])) continue;
    while (line < end && is_line_end(text[line])) ++line;
    return line;
  }
  return kNone;
}

// The next place that is inside neither a UTF-8 character nor an escape.
size_t find_character(std::string_view text, size_t from, bool documents) {
  const size_t end = std::min(text.size(), from + kLongestCharacter - 1);
  while (from < end && (static_cast<uint8_t>(text[from]) & 0xC0) == 0x80) ++from;
  return documents && from < text.size() && is_escaped(text, from) ? from + 1 : from;
}

}  // namespace

size_t find_beginning(std::string_view text, size_t from, bool documents) {
  const size_t end = std::min(text.size(), from + kLookAhead);
  size_t found = documents ? find_document(text, from, end) : kNone;
  if (found == kNone) found = find_paragraph(text, from, end);
  if (found == kNone) found = find_line(text, from, end);
  if (found == kNone) found = find_character(text, from, documents);
  return found == text.size() ? 0 : found;
}

}  // namespace slm
