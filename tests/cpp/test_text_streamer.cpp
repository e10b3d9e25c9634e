// A sample hands out whole UTF-8 characters, and nothing that belongs to a stop string.
#include "check.h"
#include "sample/text_streamer.h"
#include "util/utf8.h"

namespace {

using Strings = std::vector<std::string>;

// Feeds byte by byte until the outlet closes or the text ends; returns the pieces that came out.
Strings pieces_of(const std::string& text, const Strings& stops = {}) {
  slm::TextStreamer outlet(stops);
  Strings pieces;
  const auto take = [&] {
    std::string piece = outlet.take();
    if (!piece.empty()) pieces.push_back(std::move(piece));
  };
  for (size_t i = 0; i < text.size() && !outlet.closed(); ++i) {
    outlet.push(static_cast<uint8_t>(text[i]));
    take();
  }
  if (!outlet.closed()) outlet.close();
  take();
  return pieces;
}

std::string joined(const Strings& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

// The first and last character of every length, and what lies on either side of the surrogates.
const Strings kCharacters = {
    std::string("\0", 1), "\x7f",         "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
    "\xed\x9f\xbf",       "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf1\x80\x80\x80",
    "\xf4\x8f\xbf\xbf"};

void test_every_split_point() {
  for (const std::string& a : kCharacters) {
    for (const std::string& b : kCharacters) {
      const std::string text = a + b;
      for (size_t length = 0; length <= text.size(); ++length) {
        const size_t whole = length == text.size() ? length : length >= a.size() ? a.size() : 0;
        CHECK_EQ(slm::whole_characters(text.substr(0, length)), whole);
      }
      CHECK(pieces_of(text) == (Strings{a, b}));
    }
  }
}

void test_bytes_that_are_not_utf8() {
  for (const char* bytes : {"\x80", "\xbf", "\xc0", "\xc1\x80", "\xf5", "\xff", "\xe0\x80",
                            "\xe0\x9f\xbf", "\xed\xa0", "\xf0\x8f", "\xf4\x90", "\xf4\x90\x80"}) {
    for (const char c : std::string(bytes)) {
      const std::string byte(1, c);
      const bool starts = slm::whole_characters(byte) == 0;
      CHECK_EQ(starts,
               byte[0] == '\xe0' || byte[0] == '\xed' || byte[0] == '\xf0' || byte[0] == '\xf4');
    }
    CHECK_EQ(slm::whole_characters(bytes), std::string(bytes).size());
  }
  CHECK(pieces_of("\xe2\x82z") == (Strings{"\xe2\x82z"}));
  CHECK(pieces_of("\xe2\xc3\xa9") == (Strings{"\xe2", "\xc3\xa9"}));
  CHECK(pieces_of("a\xf0\x9f\x98") == (Strings{"a", "\xf0\x9f\x98"}));  // cut short by the end

  // Any three bytes: everything comes out, and never more than three are waiting.
  std::string text(3, '\0');
  for (int first = 0x7e; first < 256; ++first) {
    for (int second = 0x7e; second < 256; ++second) {
      text[0] = static_cast<char>(first);
      text[1] = static_cast<char>(second);
      text[2] = static_cast<char>(first ^ second);
      CHECK(text.size() - slm::whole_characters(text) <= 3);
      CHECK(joined(pieces_of(text)) == text);
    }
  }
}

void test_stop_strings() {
  const auto kept = [](const std::string& text, const Strings& stops) {
    return joined(pieces_of(text, stops));
  };
  CHECK_EQ(kept("one. two.", {"."}), "one");
  CHECK_EQ(kept("one", {"one"}), "");
  CHECK_EQ(kept("abc", {"abcd"}), "abc");
  CHECK_EQ(kept("abababac tail", {"ababac"}), "ab");  // after a false start inside a match
  CHECK_EQ(kept("aaab", {"aab"}), "a");
  CHECK_EQ(kept("x END y STOP", {"STOP", "END"}), "x ");  // the first to be complete
  CHECK_EQ(kept("abcd", {"abcd", "bc"}), "a");
  CHECK_EQ(kept("xabc", {"bc", "abc", "c"}), "x");  // the longest that ends there
  CHECK_EQ(kept("\xc3\xa9!", {"\xa9"}), "\xc3");    // a stop may be any bytes
  CHECK_EQ(kept(std::string("a\0b", 3), {std::string("\0", 1)}), "a");
}

void test_holding_back() {
  CHECK(pieces_of("ab\nAB\nB:", {"\nB:"}) == (Strings{"a", "b", "\nA", "B"}));
  CHECK(pieces_of("a--", {"---"}) == (Strings{"a", "--"}));
  CHECK(pieces_of("\xc3\xa9\xc3\xa8", {"\xc3\xa8"}) == (Strings{"\xc3\xa9"}));
  CHECK(pieces_of("xyz") == (Strings{"x", "y", "z"}));
  CHECK(pieces_of("").empty());
}

}  // namespace

int main() {
  test_every_split_point();
  test_bytes_that_are_not_utf8();
  test_stop_strings();
  test_holding_back();
  return test_result();
}
