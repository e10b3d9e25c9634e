#include "util/quote.h"

#include "util/utf8.h"

namespace slm {
namespace {

constexpr size_t kLongest = 300;

}  // namespace

std::string quote(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    if (out.size() > kLongest) return out + "…\"";
    const size_t length = utf8_character(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7F) {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out + '"';
}

}  // namespace slm
