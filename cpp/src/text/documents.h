#pragma once
// The encoding of several documents as one text: each is followed by kEndByte, which the model
// learns as any other byte. UTF-8 has neither this byte nor kEscapeByte. Where a document has one
// of the two, it is escaped, so that every document can be read back (docs/checkpoint-format.md).
#include <cstdint>
#include <string>
#include <string_view>

namespace slm {

inline constexpr uint8_t kEndByte = 0xFF;
inline constexpr uint8_t kEscapeByte = 0xFE;  // the byte after it stands for itself

constexpr bool needs_escape(uint8_t byte) { return byte == kEndByte || byte == kEscapeByte; }

// Puts kEscapeByte before every byte that needs it.
std::string escape(std::string_view text);

// Whether this byte of an escaped text stands for itself, after kEscapeByte: the run of escape
// bytes before it has an odd length.
bool is_escaped(std::string_view escaped, size_t position);

// Whether the document ends at this byte of an escaped text: it is kEndByte and not escaped.
bool is_end(std::string_view escaped, size_t position);

}  // namespace slm
