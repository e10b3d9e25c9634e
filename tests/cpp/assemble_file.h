#pragma once
// The bytes of a safetensors file. Files to be refused are made so, since the real writer waits for
// the disk each time, and would not write them.
#include <string>
#include <vector>

#include "io/json.h"
#include "io/model_file.h"

inline std::string assemble(const slm::Metadata& metadata,
                            const std::vector<slm::TensorSource>& sources) {
  using slm::Json;
  Json texts{Json::Object{}}, header{Json::Object{}};
  for (const auto& [key, value] : metadata) texts.set(key, value);
  header.set("__metadata__", texts);
  std::string data;
  for (const slm::TensorSource& source : sources) {
    int64_t count = 1;
    for (const int64_t n : source.shape) count *= n;
    const auto begin = static_cast<int64_t>(data.size());
    const int64_t end = begin + count * slm::dtype_size(source.dtype);
    // With room for a test that lies about the dtype.
    std::vector<double> values(static_cast<size_t>(count));
    source.read(0, count, values.data());
    data.append(reinterpret_cast<const char*>(values.data()), static_cast<size_t>(end - begin));
    header.set(source.name, Json::Object{{"dtype", source.dtype},
                                         {"shape", source.shape},
                                         {"data_offsets", Json::Array{begin, end}}});
  }
  std::string text = header.dump();
  while (text.size() % 8 != 0) text += ' ';
  const uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}
