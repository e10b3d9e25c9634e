#pragma once
// Text from outside, made fit for a sentence.
#include <string>
#include <string_view>

namespace slm {

// In double quotes on one line and valid UTF-8: other bytes become \xNN, and what is longer than a
// path would be is cut.
std::string quote(std::string_view text);

}  // namespace slm
