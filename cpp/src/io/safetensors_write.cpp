#include <algorithm>
#include <cmath>

#include "io/atomic_file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "slm/error.h"
#include "util/quote.h"

namespace slm {
namespace {

constexpr int64_t kPiece = 1 << 18;  // values that are in memory at once, 1 MiB

int64_t count_values(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t n : shape) count *= n;
  return count;
}

std::string make_header(const std::vector<std::pair<std::string, std::string>>& metadata,
                        const std::vector<TensorSource>& tensors) {
  Json texts{Json::Object{}};
  for (const auto& [key, value] : metadata) texts.set(key, value);
  Json header{Json::Object{}};
  header.set("__metadata__", std::move(texts));
  int64_t begin = 0;
  for (const TensorSource& tensor : tensors) {
    const int64_t end = begin + count_values(tensor.shape) * int64_t{sizeof(float)};
    Json entry{Json::Object{}};
    entry.set("dtype", "F32");
    entry.set("shape", Json::Array(tensor.shape.begin(), tensor.shape.end()));
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
  return {name, shape, [values](int64_t offset, int64_t count, float* to) {
            std::copy_n(values + offset, count, to);
          }};
}

void write_tensor_file(const std::string& path,
                       const std::vector<std::pair<std::string, std::string>>& metadata,
                       const std::vector<TensorSource>& tensors) {
  AtomicFile file(path);
  const std::string header = make_header(metadata, tensors);
  const uint64_t length = header.size();
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  std::vector<float> piece(kPiece);
  for (const TensorSource& tensor : tensors) {
    const int64_t total = count_values(tensor.shape);
    for (int64_t offset = 0; offset < total; offset += kPiece) {
      const int64_t count = std::min(kPiece, total - offset);
      tensor.read(offset, count, piece.data());
      const auto end = piece.begin() + count;
      if (!std::all_of(piece.begin(), end, [](float x) { return std::isfinite(x); }))
        throw Error(ErrorKind::training, "tensor " + quote(tensor.name) +
                                             " holds a value that is not finite, so " +
                                             quote(path) + " was not written");
      file.write(piece.data(), static_cast<size_t>(count) * sizeof(float));
    }
  }
  file.commit();
}

}  // namespace slm
