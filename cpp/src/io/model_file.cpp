#include "io/model_file.h"

#include "io/config_json.h"
#include "io/old_names.h"
#include "io/stored_tensor.h"
#include "slm/error.h"
#include "slm/version.h"
#include "util/quote.h"

namespace slm {
namespace {

constexpr char kBytesKey[] = "slm.bytes";
constexpr char kRunKey[] = "slm.last_run";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// A bit for each byte, that of byte 0 first.
std::string hex_digits(const ByteSet& set) {
  std::string digits;
  for (int first = 0; first < 256; first += 4) {
    size_t digit = 0;
    for (int i = 0; i < 4; ++i)
      digit = 2 * digit + (set.has(static_cast<uint8_t>(first + i)) ? 1 : 0);
    digits += kHexDigits[digit];
  }
  return digits;
}

}  // namespace

void save_model_file(const std::string& path, const Config& config, const TrainConfig& train_config,
                     const TensorTable& table, const float* parameters, const std::string& dtype,
                     const std::optional<ByteSet>& seen_bytes,
                     const std::optional<TrainConfig>& last_run) {
  const Storage storage = storage_named(dtype);
  std::vector<TensorSource> sources;
  for (const Tensor& tensor : table.tensors()) {
    expect_in_range(tensor, parameters + tensor.offset, storage);
    add_sources(tensor, parameters + tensor.offset, storage, sources);
  }
  write_tensor_file(path, model_metadata(config, train_config, seen_bytes, last_run), sources);
}

ModelFile load_model_file(const std::string& path) {
  const TensorFile file(path);
  check_format(file);
  for (const TensorEntry& entry : file.tensors())
    if (entry.name.rfind("optimizer.", 0) == 0)
      throw Error(ErrorKind::format,
                  quote(path) +
                      " is a checkpoint, from which a training run can be resumed, and no model; "
                      "the model of that run is the .safetensors file without .ckpt in its name");
  ModelFile model;
  model.config =
      config_from_json(metadata_json(file, "slm.config"), "slm.config in " + quote(path));
  model.train_config = train_config_from_json(metadata_json(file, "slm.train_config"),
                                              "slm.train_config in " + quote(path));
  model.seen_bytes = read_seen_bytes(file);
  model.last_run = read_last_run(file);

  // Only once the file is known to hold them all is there memory for them.
  const TensorTable table(model.config);
  std::vector<StoredTensor> stored;
  std::vector<std::string> names;
  for (const Tensor& tensor : table.tensors()) {
    stored.emplace_back(file, tensor, /*exact=*/false);
    stored.back().add_names(names);
  }
  file.expect_only(names);
  model.parameters.resize(static_cast<size_t>(table.num_parameters()));
  for (const StoredTensor& tensor : stored) tensor.read(model.parameters.data());
  return model;
}

Metadata model_metadata(const Config& config, const TrainConfig& train_config,
                        const std::optional<ByteSet>& seen_bytes,
                        const std::optional<TrainConfig>& last_run) {
  validate(config);
  validate(train_config);  // what is written can be read
  Metadata metadata = {{"slm.format", std::to_string(kFormatVersion)},
                       {"slm.config", config_to_json(config).dump()},
                       {"slm.train_config", train_config_to_json(train_config).dump()}};
  if (seen_bytes) metadata.emplace_back(kBytesKey, hex_digits(*seen_bytes));
  if (last_run) metadata.emplace_back(kRunKey, train_config_to_json(*last_run).dump());
  return metadata;
}

std::optional<TrainConfig> read_last_run(const TensorFile& file) {
  if (file.metadata(kRunKey) == nullptr) return {};
  return train_config_from_json(metadata_json(file, kRunKey),
                                std::string(kRunKey) + " in " + quote(file.path()));
}

std::optional<ByteSet> read_seen_bytes(const TensorFile& file) {
  const std::string* digits = file.metadata(kBytesKey);
  if (digits == nullptr) return {};
  if (digits->size() != 64 || digits->find_first_not_of(kHexDigits) != std::string::npos)
    throw Error(ErrorKind::format, std::string(kBytesKey) + " in " + quote(file.path()) +
                                       " must be 64 hexadecimal digits in lower case, not " +
                                       quote(*digits));
  ByteSet set;
  for (size_t byte = 0; byte < 256; ++byte) {
    const size_t digit = kHexDigits.find((*digits)[byte / 4]);
    if ((digit >> (3 - byte % 4) & 1) != 0) set.add(static_cast<uint8_t>(byte));
  }
  return set;
}

void check_format(const TensorFile& file) {
  const std::string* format = file.metadata("slm.format");
  if (format == nullptr)
    throw Error(ErrorKind::format, quote(file.path()) +
                                       " is a safetensors file, but no model of slm: its metadata "
                                       "has no \"slm.format\"");
  const Json number = Json::parse(*format, "slm.format in " + quote(file.path()));
  const auto* version = number.get_if<int64_t>();
  if (version == nullptr || *version < 1)
    throw Error(ErrorKind::format, "slm.format in " + quote(file.path()) +
                                       " must be an integer from 1 up, not " + quote(*format));
  if (*version > kFormatVersion)
    throw Error(ErrorKind::format, quote(file.path()) + " has format " + std::to_string(*version) +
                                       ", but slm " + kVersion + " reads formats up to " +
                                       std::to_string(kFormatVersion) +
                                       "; a newer slm can read it");
}

Json metadata_json(const TensorFile& file, const std::string& key) {
  const std::string* text = file.metadata(key);
  if (const char* old = old_name(key); text == nullptr && old != nullptr) text = file.metadata(old);
  if (text == nullptr)
    throw Error(ErrorKind::format,
                "the metadata of " + quote(file.path()) + " has no " + quote(key));
  return Json::parse(*text, key + " in " + quote(file.path()));
}

}  // namespace slm
