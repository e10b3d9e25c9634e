#pragma once
// A model as one safetensors file (docs/checkpoint-format.md).
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/json.h"
#include "io/safetensors.h"
#include "tensors.h"

namespace slm {

struct ModelFile {
  Config config;
  TrainConfig train_config;
  std::optional<ByteSet> seen_bytes;    // as in Net
  std::optional<TrainConfig> last_run;  // as in Net
  std::vector<float> parameters;        // flat, in the order of the tensor table
};

// dtype: "float32" keeps every bit, "float16" and "int8" round. Throws Error(config) for another
// dtype, or for a value that it cannot hold.
void save_model_file(const std::string& path, const Config& config, const TrainConfig& train_config,
                     const TensorTable& table, const float* parameters,
                     const std::string& dtype = "float32",
                     const std::optional<ByteSet>& seen_bytes = {},
                     const std::optional<TrainConfig>& last_run = {});
// Loads a model file of any dtype. Refuses a checkpoint, which its `optimizer.` tensors tell.
ModelFile load_model_file(const std::string& path);

// The parts that a checkpoint shares.
using Metadata = std::vector<std::pair<std::string, std::string>>;
Metadata model_metadata(const Config& config, const TrainConfig& train_config,
                        const std::optional<ByteSet>& seen_bytes = {},
                        const std::optional<TrainConfig>& last_run = {});
// Nothing if the file does not say.
std::optional<ByteSet> read_seen_bytes(const TensorFile& file);
std::optional<TrainConfig> read_last_run(const TensorFile& file);
// Throws unless the file says a format that this version knows.
void check_format(const TensorFile& file);
// A metadata value that must be there and be JSON.
Json metadata_json(const TensorFile& file, const std::string& key);

}  // namespace slm
