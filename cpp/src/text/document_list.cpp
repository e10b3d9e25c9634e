// Documents: from single texts, lines and JSON Lines.
#include <algorithm>

#include "io/json.h"
#include "slm/documents.h"
#include "slm/error.h"
#include "text/documents.h"
#include "util/interrupt.h"
#include "util/quote.h"

namespace slm {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // of UTF-8

// Calls f(line, number) for every line that is not empty, counted from 1.
template <typename F>
void for_each_line(std::string_view text, F&& f) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark)
    text.remove_prefix(kByteOrderMark.size());
  int64_t number = 1;
  for (size_t begin = 0; begin < text.size(); ++number) {
    if (number % 4096 == 0) poll_interrupt();
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) f(line, number);
    begin = end + 1;
  }
}

}  // namespace

void Documents::add(std::string_view document) {
  if (document.empty()) return;
  encoded_ += escape(document);
  encoded_ += static_cast<char>(kEndByte);
  ++size_;
}

void Documents::add_lines(std::string_view text) {
  for_each_line(text, [&](std::string_view line, int64_t) { add(line); });
}

void Documents::add_json_lines(std::string_view text, const std::string& field,
                               const std::string& name) {
  for_each_line(text, [&](std::string_view line, int64_t number) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    const std::string where = "line " + std::to_string(number) + " of " + quote(name);
    const Json json = Json::parse(line, where);
    add(JsonFields(json, where).string(field));
  });
}

}  // namespace slm
