#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace slm {

/// The documents to train on or to validate on, of any bytes. A document without a byte is left
/// out. Each is followed by its end, a symbol that the model learns to predict (Config::documents).
class Documents {
 public:
  void add(std::string_view document);
  /// Every line is a document, without its LF or CRLF; a byte order mark is left out.
  void add_lines(std::string_view text);
  /// Every line of JSON Lines, an object, has a document as the string `field`. Blank lines and
  /// a byte order mark are left out. Throws Error(format) naming `name` and the line; the lines
  /// before it were added.
  void add_json_lines(std::string_view text, const std::string& field, const std::string& name);

  int64_t size() const { return size_; }
  /// All as one text, escapes and ends included (docs/model.md).
  std::string_view encoded() const { return encoded_; }

 private:
  std::string encoded_;
  int64_t size_ = 0;
};

}  // namespace slm
