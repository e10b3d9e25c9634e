#include "io/stored_tensor.h"

#include "io/half.h"
#include "slm/error.h"
#include "util/quote.h"

namespace slm {
namespace {

[[noreturn]] void refuse(const TensorFile& file, const TensorEntry& entry,
                         const std::string& what) {
  throw Error(ErrorKind::format,
              "tensor " + quote(entry.name) + " in " + quote(file.path()) + what);
}

}  // namespace

StoredTensor::StoredTensor(const TensorFile& file, const Tensor& tensor, bool exact)
    : file_(file), offset_(tensor.offset), cols_(tensor.cols()) {
  const std::string& name = tensor.info.name;
  std::vector<int64_t> shape = tensor.info.shape;
  const TensorEntry* rows = tensor.info.sparse ? file.find(name + ".rows") : nullptr;
  if (rows != nullptr) {
    read_rows(*rows, tensor.rows());
    shape[0] = rows->count;
  }
  const bool is_matrix = shape.size() > 1;
  std::vector<std::string> dtypes = {"F32"};
  if (!exact) dtypes.emplace_back("F16");
  if (!exact && is_matrix) dtypes.emplace_back("I8");
  entry_ = &file.expect(name, dtypes, shape);
  if (entry_->dtype == "I8") read_scales(file.expect_f32(name + ".scale", {shape[0]}));
}

void StoredTensor::read_rows(const TensorEntry& entry, int64_t limit) {
  file_.expect(entry.name, {"U32"}, {entry.count});
  sparse_ = true;
  rows_.resize(static_cast<size_t>(entry.count));
  file_.read(entry, 0, entry.count, rows_.data());
  for (size_t i = 0; i < rows_.size(); ++i) {
    const std::string at = " at value " + std::to_string(i);
    if (rows_[i] >= limit)
      refuse(file_, entry,
             " holds " + std::to_string(rows_[i]) + at + ", but rows are numbered from 0 to " +
                 std::to_string(limit - 1));
    if (i > 0 && rows_[i] <= rows_[i - 1])
      refuse(file_, entry,
             " holds " + std::to_string(rows_[i]) + at + ", after " + std::to_string(rows_[i - 1]) +
                 "; row numbers must rise");
  }
}

void StoredTensor::read_scales(const TensorEntry& entry) {
  scales_.resize(static_cast<size_t>(entry.count));
  file_.read_f32(entry, scales_.data());
  for (size_t i = 0; i < scales_.size(); ++i)
    if (scales_[i] < 0)
      refuse(file_, entry, " holds a scale below 0 at value " + std::to_string(i));
}

void StoredTensor::add_names(std::vector<std::string>& names) const {
  names.push_back(entry_->name);
  if (sparse_) names.push_back(entry_->name + ".rows");
  if (entry_->dtype == "I8") names.push_back(entry_->name + ".scale");
}

void StoredTensor::read(float* out) const {
  const int64_t size = dtype_size(entry_->dtype);
  std::vector<char> piece(static_cast<size_t>(std::min(kTensorPiece, entry_->count) * size));
  for (int64_t offset = 0; offset < entry_->count; offset += kTensorPiece) {
    const int64_t count = std::min(kTensorPiece, entry_->count - offset);
    file_.read(*entry_, offset, count, piece.data());
    for_each_row_part(
        offset, count, cols_, [&](int64_t row, int64_t column, int64_t n, int64_t done) {
          const int64_t place = sparse_ ? int64_t{rows_[static_cast<size_t>(row)]} : row;
          float* to = out + offset_ + place * cols_ + column;
          decode(piece.data() + done * size, n, row, to);
          file_.expect_finite(*entry_, to, offset + done, n);
        });
  }
}

void StoredTensor::decode(const char* from, int64_t count, int64_t row, float* to) const {
  if (entry_->dtype == "F32") {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
  } else if (entry_->dtype == "F16") {
    for (int64_t i = 0; i < count; ++i) {
      uint16_t half;
      std::memcpy(&half, from + i * int64_t{sizeof half}, sizeof half);
      to[i] = from_half(half);
    }
  } else {
    const float scale = scales_[static_cast<size_t>(row)];
    for (int64_t i = 0; i < count; ++i)
      to[i] = scale * static_cast<float>(static_cast<signed char>(from[i]));
  }
}

}  // namespace slm
