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

  // The tensor, which must be there.
  const TensorEntry& at(const std::string& name) const;
  // The tensor, which must have one of the dtypes and this shape.
  const TensorEntry& expect(const std::string& name, const std::vector<std::string>& dtypes,
                            const std::vector<int64_t>& shape) const;
  const TensorEntry& expect_f32(const std::string& name, const std::vector<int64_t>& shape) const {
    return expect(name, {"F32"}, shape);
  }
  // Every tensor's name must be in `names`.
  void expect_only(const std::vector<std::string>& names) const;
  // `count` values from value `offset` on, as they are.
  void read(const TensorEntry& entry, int64_t offset, int64_t count, void* out) const;
  // All values of an F32 tensor; refuses NaN and infinities.
  void read_f32(const TensorEntry& entry, float* out) const;
  // Throws for the first of `count` values, of which `first` is the number in the tensor, that is
  // NaN or an infinity.
  void expect_finite(const TensorEntry& entry, const float* values, int64_t first,
                     int64_t count) const;

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

// A tensor to write. `read` copies `count` values from value `offset` on, and is called for
// consecutive pieces, so that a large tensor needs no second copy in memory.
struct TensorSource {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::function<void(int64_t offset, int64_t count, void* to)> read;
};

// F32 values that stay where they are until the file is written.
TensorSource tensor_source(const std::string& name, const std::vector<int64_t>& shape,
                           const float* values);

// Bytes of a value of this dtype, 0 for one that the format does not know.
int64_t dtype_size(const std::string& dtype);

// Large tensors are read and written in pieces of so many values.
inline constexpr int64_t kTensorPiece = 1 << 18;

// Writes atomically; the same input gives the same bytes. Throws Error(training) for an F32 value
// that is not finite, by tensor name, and Error(io); the file at `path` is then as it was.
void write_tensor_file(const std::string& path,
                       const std::vector<std::pair<std::string, std::string>>& metadata,
                       const std::vector<TensorSource>& tensors);

}  // namespace slm
