#include "util/require.h"

#include <algorithm>

#include "util/quote.h"

namespace slm {

std::string either(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

size_t require_choice(const std::string& name, const std::string& value,
                      const std::vector<std::string>& known, ErrorKind kind) {
  const auto found = std::find(known.begin(), known.end(), value);
  if (found != known.end()) return static_cast<size_t>(found - known.begin());
  std::vector<std::string> quoted;
  for (const std::string& word : known) quoted.push_back(quote(word));
  refuse_value(name, quote(value), either(quoted), kind);
}

}  // namespace slm
