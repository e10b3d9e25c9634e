// Any bytes: either they are refused, or what is written for them reads back as the same.
#include <cstdlib>

#include "io/json.h"
#include "slm/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string written = slm::Json::parse(text, "the input").dump();
    if (slm::Json::parse(written, "what was written").dump() != written) std::abort();
  } catch (const slm::Error&) {
  }
  return 0;
}
