#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "io/atomic_file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "slm/error.h"
#include "util/quote.h"

namespace slm {
namespace {

int64_t count_values(const TensorSource& tensor) {
  int64_t count = 1;
  for (const int64_t n : tensor.shape) count *= n;
  return count;
}

// Widest values first, so that all are aligned; those of one width stay in the order given.
std::vector<TensorSource> in_file_order(const std::vector<TensorSource>& tensors) {
  std::multimap<int64_t, TensorSource, std::greater<>> by_width;
  for (const TensorSource& tensor : tensors) by_width.emplace(dtype_size(tensor.dtype), tensor);
  std::vector<TensorSource> ordered;
  for (auto& [width, tensor] : by_width) ordered.push_back(std::move(tensor));
  return ordered;
}

std::string make_header(const std::vector<std::pair<std::string, std::string>>& metadata,
                        const std::vector<TensorSource>& tensors) {
  Json texts{Json::Object{}};
  for (const auto& [key, value] : metadata) texts.set(key, value);
  Json header{Json::Object{}};
  header.set("__metadata__", std::move(texts));
  int64_t begin = 0;
  for (const TensorSource& tensor : tensors) {
    const int64_t end = begin + count_values(tensor) * dtype_size(tensor.dtype);
    Json entry{Json::Object{}};
    entry.set("dtype", tensor.dtype);
    entry.set("shape", tensor.shape);
    entry.set("data_offsets", Json::Array{begin, end});
    header.set(tensor.name, std::move(entry));
    begin = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the values are aligned to eight bytes
  return text;
}

}  // namespace

TensorSource tensor_source(const std::string& name, const std::vector<int64_t>& shape,
                           const float* values) {
  return {name, "F32", shape, [values](int64_t offset, int64_t count, void* to) {
            std::copy_n(values + offset, count, static_cast<float*>(to));
          }};
}

void write_tensor_file(const std::string& path,
                       const std::vector<std::pair<std::string, std::string>>& metadata,
                       const std::vector<TensorSource>& sources) {
  const std::vector<TensorSource> tensors = in_file_order(sources);
  AtomicFile file(path);
  const std::string header = make_header(metadata, tensors);
  const uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  std::vector<float> piece(kTensorPiece);  // no tensor of a model or checkpoint has wider values
  for (const TensorSource& tensor : tensors) {
    const int64_t total = count_values(tensor), size = dtype_size(tensor.dtype);
    for (int64_t offset = 0; offset < total; offset += kTensorPiece) {
      const int64_t count = std::min(kTensorPiece, total - offset);
      tensor.read(offset, count, piece.data());
      if (tensor.dtype == "F32" && !std::all_of(piece.begin(), piece.begin() + count,
                                                [](float x) { return std::isfinite(x); }))
        throw Error(ErrorKind::training, "tensor " + quote(tensor.name) +
                                             " holds a value that is not finite, so " +
                                             quote(path) + " was not written");
      file.write(piece.data(), static_cast<size_t>(count * size));
    }
  }
  file.commit();
}

}  // namespace slm
