#pragma once
// How a parameter lies in a file (docs/checkpoint-format.md): as F32, as F16, or as I8 with a scale
// for each row in NAME.scale; and of a table of n-grams or matches the rows that are not zero
// alone, with their numbers in NAME.rows.
#include <algorithm>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "tensors.h"

namespace slm {

enum class Storage { float32, float16, int8 };

// By its name here; Error(config) lists the names.
Storage storage_named(const std::string& name);

// Adds the file's tensors that make up `tensor`. Its values, in range, must stay where they are
// until the file is written. As float32 they come back as the same bits; int8 keeps what is no
// matrix in float32.
void add_sources(const Tensor& tensor, const float* values, Storage storage,
                 std::vector<TensorSource>& sources);

// Throws Error(training) for a value that is not finite and Error(config) for one that is too large
// for `storage`.
void expect_in_range(const Tensor& tensor, const float* values, Storage storage);

// A parameter found in a file, which must outlive this. Row numbers and scales have been read and
// checked; the header vouches for the size of the rest.
class StoredTensor {
 public:
  // Throws Error(format) unless it is there as it should be; if `exact`, as F32.
  StoredTensor(const TensorFile& file, const Tensor& tensor, bool exact);

  void add_names(std::vector<std::string>& names) const;  // of the file's tensors
  // All values, from tensor.offset of `out` on, where there must be zeros.
  void read(float* out) const;

 private:
  void read_rows(const TensorEntry& entry, int64_t limit);
  void read_scales(const TensorEntry& entry);
  void decode(const char* from, int64_t count, int64_t row, float* to) const;

  const TensorFile& file_;
  const TensorEntry* entry_;
  int64_t offset_, cols_;
  bool sparse_ = false;
  std::vector<uint32_t> rows_;  // where sparse
  std::vector<float> scales_;   // one for each row of the entry, where it is I8
};

// Cuts `count` values from value `offset` on at the ends of rows, and calls
// part(row, column, values in that row, values before it).
template <typename F>
void for_each_row_part(int64_t offset, int64_t count, int64_t cols, F&& part) {
  for (int64_t done = 0; done < count;) {
    const int64_t row = (offset + done) / cols, column = (offset + done) % cols;
    const int64_t n = std::min(cols - column, count - done);
    part(row, column, n, done);
    done += n;
  }
}

}  // namespace slm
