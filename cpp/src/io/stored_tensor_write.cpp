#include <algorithm>
#include <cmath>
#include <memory>

#include "io/half.h"
#include "io/json.h"
#include "io/stored_tensor.h"
#include "slm/error.h"
#include "util/quote.h"
#include "util/require.h"

namespace slm {
namespace {

constexpr float kLargestByte = 127;

struct StorageInfo {
  const char* name;
  const char* dtype;
  float largest;  // magnitude of a value
};
// int8's is a little less than a float's, since 127 times the rounded scale must be finite.
constexpr StorageInfo kStorages[] = {{"float32", "F32", std::numeric_limits<float>::max()},
                                     {"float16", "F16", kLargestHalf},
                                     {"int8", "I8", 3e38f}};

const StorageInfo& info(Storage storage) { return kStorages[static_cast<size_t>(storage)]; }

Storage storage_of(const Tensor& tensor, Storage storage) {
  const bool is_matrix = tensor.info.shape.size() > 1;
  return storage == Storage::int8 && !is_matrix ? Storage::float32 : storage;
}

// The parts of a tensor that are stored.
struct Content {
  const float* values;
  int64_t cols;
  std::vector<uint32_t> rows;
  std::vector<float> scales;  // of those rows, for int8

  const float* row(int64_t i) const {
    return values + int64_t{rows[static_cast<size_t>(i)]} * cols;
  }
};

// By the bits: a row of -0 is not left out.
bool is_zero(const float* row, int64_t cols) {
  return std::all_of(row, row + cols, [](float x) { return x == 0 && !std::signbit(x); });
}

std::vector<uint32_t> rows_to_store(const Tensor& tensor, const float* values) {
  std::vector<uint32_t> rows;
  for (int64_t i = 0; i < tensor.rows(); ++i)
    if (!tensor.info.sparse || !is_zero(values + i * tensor.cols(), tensor.cols()))
      rows.push_back(static_cast<uint32_t>(i));
  return rows;
}

float scale_of(const float* row, int64_t cols) {
  float largest = 0;
  for (int64_t i = 0; i < cols; ++i) largest = std::max(largest, std::abs(row[i]));
  return largest / kLargestByte;
}

// A scale too small for a float's full precision can make a quotient beyond 127, or be zero.
int8_t quantized(float value, float scale) {
  if (scale == 0) return 0;
  return static_cast<int8_t>(
      std::clamp(std::nearbyint(value / scale), -kLargestByte, kLargestByte));
}

void encode(const Content& content, Storage storage, int64_t offset, int64_t count, void* out) {
  for_each_row_part(offset, count, content.cols,
                    [&](int64_t row, int64_t column, int64_t n, int64_t done) {
                      const float* from = content.row(row) + column;
                      if (storage == Storage::float32) {
                        std::copy_n(from, n, static_cast<float*>(out) + done);
                      } else if (storage == Storage::float16) {
                        std::transform(from, from + n, static_cast<uint16_t*>(out) + done, to_half);
                      } else {
                        const float scale = content.scales[static_cast<size_t>(row)];
                        std::transform(from, from + n, static_cast<int8_t*>(out) + done,
                                       [scale](float value) { return quantized(value, scale); });
                      }
                    });
}

}  // namespace

Storage storage_named(const std::string& name) {
  constexpr Storage kStorages[] = {Storage::float32, Storage::float16, Storage::int8};
  std::vector<std::string> names;
  for (const Storage storage : kStorages) names.push_back(info(storage).name);
  return kStorages[require_choice("dtype", name, names)];
}

void expect_in_range(const Tensor& tensor, const float* values, Storage storage) {
  const StorageInfo& how = info(storage_of(tensor, storage));
  for (int64_t i = 0; i < tensor.info.size; ++i) {
    if (!std::isfinite(values[i]))
      throw Error(ErrorKind::training,
                  "tensor " + quote(tensor.info.name) + " holds a value that is not finite");
    if (std::abs(values[i]) > how.largest)
      throw Error(ErrorKind::config, "tensor " + quote(tensor.info.name) + " holds " +
                                         Json(values[i]).dump() + ", but " + how.name +
                                         " stores at most " + Json(how.largest).dump() +
                                         "; float32 stores any model");
  }
}

void add_sources(const Tensor& tensor, const float* values, Storage storage,
                 std::vector<TensorSource>& sources) {
  const std::string& name = tensor.info.name;
  storage = storage_of(tensor, storage);
  const auto content = std::make_shared<Content>();
  content->values = values;
  content->cols = tensor.cols();
  content->rows = rows_to_store(tensor, values);
  std::vector<int64_t> shape = tensor.info.shape;
  shape[0] = static_cast<int64_t>(content->rows.size());
  sources.push_back({name, info(storage).dtype, shape,
                     [content, storage](int64_t offset, int64_t count, void* to) {
                       encode(*content, storage, offset, count, to);
                     }});
  if (tensor.info.sparse)
    sources.push_back(
        {name + ".rows", "U32", {shape[0]}, [content](int64_t offset, int64_t count, void* to) {
           std::copy_n(content->rows.data() + offset, count, static_cast<uint32_t*>(to));
         }});
  if (storage != Storage::int8) return;
  for (int64_t i = 0; i < shape[0]; ++i)
    content->scales.push_back(scale_of(content->row(i), content->cols));
  sources.push_back(
      {name + ".scale", "F32", {shape[0]}, [content](int64_t offset, int64_t count, void* to) {
         std::copy_n(content->scales.data() + offset, count, static_cast<float*>(to));
       }});
}

}  // namespace slm
