#pragma once
// The safetensors format: 8 bytes of header length, a JSON header, then the values of all tensors
// without gaps. Models and checkpoints are such files (docs/checkpoint-format.md).
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace slm {

class Json;

struct TensorEntry {
  std::string name;
  std::string dtype;  // "F32", "I64", …
  std::vector<int64_t> shape;
  int64_t count = 0;   // number of values
  int64_t offset = 0;  // of the first byte, in the file
  int64_t bytes = 0;
};

// A file opened for reading. The constructor checks the whole header against the size of the file,
// so that nothing is allocated or read on the word of a broken one. Everything that is wrong is
// Error(io) or Error(format) naming the file and, where there is one, the tensor.
class TensorFile {
 public:
  explicit TensorFile(const std::string& path);
  ~TensorFile();
  TensorFile(const TensorFile&) = delete;
  TensorFile& operator=(const TensorFile&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }  // in file order
  const TensorEntry* find(const std::string& name) const;               // nullptr: none
  const std::string* metadata(const std::string& key) const;            // nullptr: none

  // The tensor, which must be F32 and of this shape.
  const TensorEntry& expect_f32(const std::string& name, const std::vector<int64_t>& shape) const;
  // Every tensor's name must be in `names`.
  void expect_only(const std::vector<std::string>& names) const;
  // entry.count values into `out`; refuses NaN and infinities.
  void read_f32(const TensorEntry& entry, float* out) const;

 private:
  void read_header();
  void read_metadata(const Json& json);
  void check_layout(int64_t data, int64_t end);
  void read_bytes(int64_t offset, int64_t size, void* out) const;
  [[noreturn]] void fail_io(int os_code) const;

  std::string path_;
  int file_ = -1;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

// What to write. `read` copies `count` values from value `offset` on, and is called for consecutive
// pieces, so that a large tensor needs no second copy in memory.
struct TensorSource {
  std::string name;
  std::vector<int64_t> shape;
  std::function<void(int64_t offset, int64_t count, float* to)> read;
};

// Values that stay where they are until the file is written.
TensorSource tensor_source(const std::string& name, const std::vector<int64_t>& shape,
                           const float* values);

// Writes atomically; the same input gives the same bytes. Throws Error(training) for a value that
// is not finite, by tensor name, and Error(io); the file at `path` is then as it was.
void write_tensor_file(const std::string& path,
                       const std::vector<std::pair<std::string, std::string>>& metadata,
                       const std::vector<TensorSource>& tensors);

}  // namespace slm
