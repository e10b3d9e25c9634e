#pragma once
// A file that appears whole or not at all: written beside its path, synced, then renamed.
#include <cstddef>
#include <string>

namespace slm {

class AtomicFile {
 public:
  // Creates `path`.slm-tmp, or takes over one that a killed process left. Throws Error(io) if the
  // folder is missing or cannot be written, or if another save is writing the same file.
  explicit AtomicFile(const std::string& path);
  // Without commit() the temporary file is removed and `path` stays as it was.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void commit();

 private:
  void open_temporary();
  [[noreturn]] void fail(int os_code) const;
  [[noreturn]] void fail_temporary(int os_code) const;

  std::string path_;  // links followed
  std::string temporary_;
  int file_ = -1;
};

}  // namespace slm
