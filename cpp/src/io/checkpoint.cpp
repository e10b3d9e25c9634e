#include "io/checkpoint.h"

#include <cmath>

#include "backend.h"
#include "io/config_json.h"
#include "io/model_file.h"
#include "io/run_state_json.h"
#include "io/stored_tensor.h"
#include "util/quote.h"

namespace slm {
namespace {

constexpr char kKey[] = "slm.checkpoint";

// One of the flat arrays, and what stands before a parameter's name in those of its tensors.
struct Section {
  const char* prefix;
  std::vector<float> Checkpoint::* values;
  bool is_moment;

  Tensor tensor(const Tensor& parameter) const {
    Tensor tensor = parameter;
    tensor.info.name = prefix + parameter.info.name;
    if (!is_moment) return tensor;
    tensor.offset = parameter.moment_offset;
    tensor.info.size = parameter.moments;
    if (parameter.info.sparse) tensor.info.shape = {parameter.rows()};
    tensor.info.sparse = false;
    return tensor;
  }
  int64_t size(const TensorTable& table) const {
    return is_moment ? table.num_moments() : table.num_parameters();
  }
};
constexpr Section kSections[] = {{"", &Checkpoint::weights, false},
                                 {"optimizer.m.", &Checkpoint::m, true},
                                 {"optimizer.v.", &Checkpoint::v, true},
                                 {"best.", &Checkpoint::best, false}};

// Layout of the values of Checkpoint::stream in a file.
struct StreamPart {
  const char* name;
  std::vector<int64_t> shape;
  int64_t offset;
};

std::vector<StreamPart> stream_parts(const Checkpoint& checkpoint) {
  const Config& config = checkpoint.config;
  const int64_t B = checkpoint.train_config.batch_size, K = history_size(config);
  std::vector<StreamPart> parts = {{"stream.state", {config.num_layers, B, config.state_dim}, 0}};
  if (K > 0) parts.push_back({"stream.history", {B, K}, hidden_size(config, B)});
  return parts;
}

// The rows of tables are found by these values, of which each text has K.
void expect_bytes(const TensorFile& file, const TensorEntry& entry, const float* values,
                  int64_t K) {
  for (int64_t i = 0; i < entry.count; ++i) {
    const bool is_byte = values[i] >= 0 && values[i] <= 256 && values[i] == std::floor(values[i]);
    if (is_byte && (values[i] > 0 || i % K == 0 || values[i - 1] == 0)) continue;
    throw Error(ErrorKind::format, "tensor " + quote(entry.name) + " in " + quote(file.path()) +
                                       " holds " + Json(values[i]).dump() + " at value " +
                                       std::to_string(i) +
                                       "; it must hold whole numbers from 0 to 256, and 0 only "
                                       "before the bytes of a text");
  }
}

void read_stream(const TensorFile& file, Checkpoint& checkpoint) {
  checkpoint.stream.resize(
      static_cast<size_t>(state_size(checkpoint.config, checkpoint.train_config.batch_size)));
  for (const StreamPart& part : stream_parts(checkpoint)) {
    const TensorEntry& entry = *file.find(part.name);
    float* values = checkpoint.stream.data() + part.offset;
    file.read_f32(entry, values);
    if (part.offset > 0) expect_bytes(file, entry, values, history_size(checkpoint.config));
  }
}

// The header vouches for the sizes of all tensors before memory is taken for any.
void read_arrays(const TensorFile& file, Checkpoint& checkpoint) {
  const TensorTable table(checkpoint.config);
  const bool has_best = checkpoint.state.best_step > 0;
  const bool has_stream = checkpoint.train_config.sampling == Sampling::stream;
  std::vector<std::pair<const Section*, StoredTensor>> stored;
  std::vector<std::string> names;
  for (const Section& section : kSections) {
    if (section.values == &Checkpoint::best && !has_best) continue;
    for (const Tensor& parameter : table.tensors()) {
      stored.emplace_back(&section, StoredTensor(file, section.tensor(parameter), /*exact=*/true));
      stored.back().second.add_names(names);
    }
  }
  if (has_stream)
    for (const StreamPart& part : stream_parts(checkpoint)) {
      file.expect_f32(part.name, part.shape);
      names.emplace_back(part.name);
    }
  file.expect_only(names);

  if (has_stream) read_stream(file, checkpoint);
  for (const auto& [section, tensor] : stored) {
    std::vector<float>& values = checkpoint.*section->values;
    values.resize(static_cast<size_t>(section->size(table)));
    tensor.read(values.data());
  }
}

// Checkpoints of format 1 were first written with the planned length as words, "30 steps" or
// "8 seconds"; now it is {"steps": 30} or {"seconds": 8}.
Json current_plan(const Json& plan, const std::string& where) {
  const Json* length = plan.find("length");
  const auto* words = length ? length->get_if<std::string>() : nullptr;
  if (words == nullptr) return plan;
  const size_t space = words->find(' ');
  if (space == std::string::npos)
    throw Error(ErrorKind::format, "the length of " + where + " is " + quote(*words) +
                                       ", which is neither steps nor seconds");
  Json current(Json::Object{});
  for (const auto& [name, value] : *plan.get_if<Json::Object>()) {
    if (name != "length") {
      current.set(name, value);
      continue;
    }
    Json object(Json::Object{});
    object.set(words->substr(space + 1),
               Json::parse(words->substr(0, space), "length of " + where));
    current.set(name, object);
  }
  return current;
}

CheckpointHeader read_header(const TensorFile& file) {
  const std::string& path = file.path();
  check_format(file);
  if (!file.metadata(kKey))
    throw Error(ErrorKind::format,
                quote(path) + " is not a checkpoint: its metadata has no " + quote(kKey));
  const auto where = [&path](const char* key) { return std::string(key) + " in " + quote(path); };
  CheckpointHeader header;
  header.config = config_from_json(metadata_json(file, "slm.config"), where("slm.config"));
  header.train_config =
      train_config_from_json(metadata_json(file, "slm.train_config"), where("slm.train_config"));
  header.seen_bytes = read_seen_bytes(file);
  header.last_run = read_last_run(file);
  const Json json = metadata_json(file, kKey);
  JsonFields fields(json, where(kKey));
  header.plan = current_plan(fields.at("plan"), where(kKey));
  header.state = run_state_from_json(fields.at("state"), "the state of " + where(kKey));
  fields.finish();

  return header;
}

}  // namespace

void save_checkpoint(const std::string& path, const TensorTable& table,
                     const Checkpoint& checkpoint) {
  Json json(Json::Object{});
  json.set("plan", checkpoint.plan);
  json.set("state", run_state_to_json(checkpoint.state));
  Metadata metadata = model_metadata(checkpoint.config, checkpoint.train_config,
                                     checkpoint.seen_bytes, checkpoint.last_run);
  metadata.emplace_back(kKey, json.dump());

  std::vector<TensorSource> sources;
  for (const Section& section : kSections) {
    const std::vector<float>& values = checkpoint.*section.values;
    if (values.empty()) continue;
    for (const Tensor& parameter : table.tensors()) {
      const Tensor tensor = section.tensor(parameter);
      add_sources(tensor, values.data() + tensor.offset, Storage::float32, sources);
    }
  }
  if (!checkpoint.stream.empty())
    for (const StreamPart& part : stream_parts(checkpoint))
      sources.push_back(
          tensor_source(part.name, part.shape, checkpoint.stream.data() + part.offset));
  write_tensor_file(path, metadata, sources);
}

Checkpoint load_checkpoint(const std::string& path) {
  const TensorFile file(path);
  Checkpoint checkpoint;
  static_cast<CheckpointHeader&>(checkpoint) = read_header(file);
  read_arrays(file, checkpoint);
  return checkpoint;
}

CheckpointHeader load_checkpoint_header(const std::string& path) {
  return read_header(TensorFile(path));
}

}  // namespace slm
