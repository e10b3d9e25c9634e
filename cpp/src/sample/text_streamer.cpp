#include "sample/text_streamer.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "util/utf8.h"

namespace slm {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// Where the longest end of `text` starts that is also the beginning of a stop string.
size_t possible_stop(std::string_view text, const std::vector<std::string>& stops) {
  for (size_t start = 0; start < text.size(); ++start) {
    const std::string_view end = text.substr(start);
    for (const std::string& stop : stops) {
      if (stop.compare(0, end.size(), end) == 0) return start;
    }
  }
  return text.size();
}

}  // namespace

void TextStreamer::push(uint8_t byte) {
  held_ += static_cast<char>(byte);
  for (const std::string& stop : stops_) {
    if (stop.size() > stop_.size() && ends_with(held_, stop)) stop_ = stop;
  }
  if (!stop_.empty()) {
    if (!include_stop_) held_.resize(held_.size() - stop_.size());
    close();
    return;
  }
  const std::string_view free(held_.data(), possible_stop(held_, stops_));
  const size_t count = whole_characters(free);
  ready_.append(held_, 0, count);
  held_.erase(0, count);
}

void TextStreamer::drop_incomplete_character() { held_.resize(whole_characters(held_)); }

void TextStreamer::close() {
  ready_ += std::exchange(held_, {});
  closed_ = true;
}

std::string TextStreamer::take() { return std::exchange(ready_, {}); }

}  // namespace slm
