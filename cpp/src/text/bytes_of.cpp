#include "text/bytes_of.h"

#include "text/documents.h"
#include "util/interrupt.h"

namespace slm {

ByteSet bytes_of(std::string_view text, bool documents) {
  constexpr size_t kBlock = 1 << 20;
  bool has[256] = {}, escaped[256] = {};
  bool after_escape = false;
  for (size_t start = 0; start < text.size(); start += kBlock) {
    poll_interrupt();
    for (const char c : text.substr(start, kBlock)) {
      const auto byte = static_cast<uint8_t>(c);
      (after_escape ? escaped : has)[byte] = true;
      after_escape = documents && !after_escape && byte == kEscapeByte;
    }
  }
  ByteSet set;
  for (int byte = 0; byte < 256; ++byte) {
    const auto b = static_cast<uint8_t>(byte);
    if (escaped[byte] || (has[byte] && !(documents && needs_escape(b)))) set.add(b);
  }
  return set;
}

}  // namespace slm
