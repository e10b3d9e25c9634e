// Json::parse: a recursive descent over RFC 8259's grammar, one function per rule.
#include <charconv>
#include <locale>
#include <sstream>
#include <unordered_set>

#include "io/json.h"
#include "slm/error.h"
#include "util/quote.h"
#include "util/utf8.h"

namespace slm {
namespace {

constexpr int kMaxDepth = 64;  // of the recursion, hence of the stack

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(uint32_t code, std::string& out) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80)
    out += static_cast<char>(code);
  else if (code < 0x800)
    out += {static_cast<char>(0xC0 | code >> 6), tail(0)};
  else if (code < 0x10000)
    out += {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  else
    out += {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Json document() {
    Json json = value(0);
    skip_space();
    if (position_ < text_.size()) fail("nothing was expected after the value");
    return json;
  }

 private:
  // 0 at the end of the text, where no rule goes on.
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  bool take(char c) {
    if (peek() != c || position_ == text_.size()) return false;
    ++position_;
    return true;
  }

  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++position_;
  }

  Json value(int depth) {
    skip_space();
    if (depth > kMaxDepth) fail("values are nested deeper than " + std::to_string(kMaxDepth));
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return string();
      case 't':
        return word("true", true);
      case 'f':
        return word("false", false);
      case 'n':
        return word("null", nullptr);
      default:
        return number();
    }
  }

  Json word(std::string_view word, Json meaning) {
    if (text_.substr(position_, word.size()) != word) fail("a value was expected");
    position_ += word.size();
    return meaning;
  }

  Json object(int depth) {
    Json::Object members;
    std::unordered_set<std::string> names;
    ++position_;
    skip_space();
    if (take('}')) return members;
    do {
      skip_space();
      std::string name = string();
      if (!names.insert(name).second) fail("duplicate key " + quote(name));
      skip_space();
      if (!take(':')) fail("':' was expected");
      members.emplace_back(std::move(name), value(depth + 1));
      skip_space();
    } while (take(','));
    if (!take('}')) fail("',' or '}' was expected");
    return members;
  }

  Json array(int depth) {
    Json::Array items;
    ++position_;
    skip_space();
    if (take(']')) return items;
    do {
      items.push_back(value(depth + 1));
      skip_space();
    } while (take(','));
    if (!take(']')) fail("',' or ']' was expected");
    return items;
  }

  std::string string() {
    std::string out;
    if (!take('"')) fail("a string was expected");
    while (!take('"')) {
      if (take('\\')) {
        escape(out);
        continue;
      }
      const size_t length = utf8_character(text_.substr(position_));
      if (position_ == text_.size()) fail("a string does not end");
      if (length == 0) fail("a string is not UTF-8");
      if (static_cast<unsigned char>(peek()) < 0x20) fail("a string holds a control character");
      out += text_.substr(position_, length);
      position_ += length;
    }
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (take('u')) return append_utf8(code_point(), out);
    const size_t index = kNames.find(peek());
    if (index == std::string_view::npos) fail("an unknown escape");
    ++position_;
    out += kMeanings[index];
  }

  uint32_t code_point() {
    const uint32_t first = hex4();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first < 0xDC00 && take('\\') && take('u')) {
      const uint32_t second = hex4();
      if (second >= 0xDC00 && second <= 0xDFFF)
        return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
    }
    fail("half of a surrogate pair");
  }

  uint32_t hex4() {
    uint32_t code = 0;
    const std::string_view digits = text_.substr(position_, 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (error != std::errc() || digits.size() != 4 || end != digits.data() + 4)
      fail("four hexadecimal digits were expected");
    position_ += 4;
    return code;
  }

  Json number() {
    const size_t start = position_;
    take('-');
    if (!take('0')) digits("a value was expected");
    bool is_integer = true;
    if (take('.')) {
      is_integer = false;
      digits("a digit was expected");
    }
    if (take('e') || take('E')) {
      is_integer = false;
      if (!take('+')) take('-');
      digits("a digit was expected");
    }
    const std::string text(text_.substr(start, position_ - start));
    if (is_integer && text != "-0") {
      int64_t integer = 0;
      const auto result = std::from_chars(text.data(), text.data() + text.size(), integer);
      if (result.ec == std::errc()) return integer;
    }
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    double real = 0;
    if (!(in >> real)) fail("the number " + quote(text) + " is too large");
    return real;
  }

  void digits(const char* expected) {
    if (!is_digit(peek())) fail(expected);
    while (is_digit(peek())) ++position_;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::format,
                where_ + " is not valid JSON: " + what + " at byte " + std::to_string(position_));
  }

  std::string_view text_;
  const std::string& where_;
  size_t position_ = 0;
};

}  // namespace

Json Json::parse(std::string_view text, const std::string& where) {
  return Parser(text, where).document();
}

}  // namespace slm
