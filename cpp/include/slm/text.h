#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace slm {

/// The files that these paths stand for: a folder stands for its `.txt` files, in the order of
/// their names, at any depth. Throws Error(io) naming a folder that cannot be read, Error(config)
/// if a folder has none.
std::vector<std::string> text_files(const std::vector<std::string>& paths);

/// The bytes of one or more files. One file is memory-mapped: a text larger than memory can be
/// used.
class Text {
 public:
  /// The files are those of text_files(paths). Throws Error(io) naming a path that cannot be read,
  /// Error(config) if there is no byte at all.
  explicit Text(const std::vector<std::string>& paths);
  Text(Text&&) noexcept;
  Text& operator=(Text&&) noexcept;
  ~Text();

  const uint8_t* data() const;
  size_t size() const;
  std::string_view view() const { return {reinterpret_cast<const char*>(data()), size()}; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slm
