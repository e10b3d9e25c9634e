#include "io/checkpoint.h"

#include <cmath>
#include <limits>

#include "io/config_json.h"
#include "io/model_file.h"
#include "io/safetensors.h"
#include "util/quote.h"

namespace slm {
namespace {

constexpr char kKey[] = "slm.checkpoint";
constexpr char kStreamState[] = "stream.state";

// What stands before a parameter's name in each of the flat arrays' tensors.
struct Section {
  const char* prefix;
  std::vector<float> Checkpoint::* values;
};
constexpr Section kSections[] = {{"", &Checkpoint::weights},
                                 {"optimizer.m.", &Checkpoint::m},
                                 {"optimizer.v.", &Checkpoint::v},
                                 {"best.", &Checkpoint::best}};

std::vector<int64_t> stream_shape(const Checkpoint& checkpoint) {
  return {checkpoint.config.num_layers, checkpoint.training.batch_size,
          checkpoint.config.state_dim};
}

Json evaluation_to_json(const Evaluation& evaluation) {
  Json json(Json::Object{});
  json.set("step", evaluation.step);
  json.set("seconds", evaluation.seconds);
  json.set("train_loss", evaluation.train_loss);
  const bool validated = !std::isnan(evaluation.validation_loss);
  json.set("validation_loss", validated ? Json(evaluation.validation_loss) : Json());
  return json;
}

Json state_to_json(const RunState& state) {
  Json json(Json::Object{});
  json.set("step", state.step);
  json.set("planned_steps", state.planned_steps);
  json.set("planned_at", state.planned_at);
  json.set("eval_every", state.eval_every);
  json.set("validation_bytes", state.validation_bytes);
  json.set("evaluation_seconds", state.evaluation_seconds);
  json.set("best_step", state.best_step);
  json.set("best_loss", state.best_loss);
  json.set("since_best", state.since_best);
  json.set("loss_sum", state.loss_sum);
  json.set("loss_count", state.loss_count);
  json.set("seconds", state.seconds);
  json.set("training_seconds", state.training_seconds);
  Json::Array evaluations;
  for (const Evaluation& evaluation : state.evaluations)
    evaluations.push_back(evaluation_to_json(evaluation));
  json.set("evaluations", std::move(evaluations));
  return json;
}

template <typename T>
T not_negative(T value, const char* name, const std::string& where) {
  if (value < 0)
    throw Error(ErrorKind::format, "the field \"" + std::string(name) + "\" of " + where + " is " +
                                       std::to_string(value) + " but must be at least 0");
  return value;
}

Evaluation evaluation_from_json(const Json& json, const std::string& where) {
  JsonFields fields(json, where);
  Evaluation evaluation;
  evaluation.step = not_negative(fields.integer("step"), "step", where);
  evaluation.seconds = fields.number("seconds");
  evaluation.train_loss = fields.number("train_loss");
  evaluation.validation_loss = fields.at("validation_loss").get_if<std::nullptr_t>()
                                   ? std::numeric_limits<double>::quiet_NaN()
                                   : fields.number("validation_loss");
  fields.finish();
  return evaluation;
}

RunState state_from_json(const Json& json, const std::string& where) {
  JsonFields fields(json, where);
  const auto count = [&](const char* name) {
    return not_negative(fields.integer(name), name, where);
  };
  const auto seconds = [&](const char* name) {
    return not_negative(fields.number(name), name, where);
  };
  RunState state;
  state.step = count("step");
  state.planned_steps = count("planned_steps");
  state.planned_at = count("planned_at");
  state.eval_every = count("eval_every");
  state.validation_bytes = count("validation_bytes");
  state.evaluation_seconds = seconds("evaluation_seconds");
  state.best_step = count("best_step");
  state.best_loss = fields.number("best_loss");
  state.since_best = count("since_best");
  state.loss_sum = fields.number("loss_sum");
  state.loss_count = count("loss_count");
  state.seconds = seconds("seconds");
  state.training_seconds = seconds("training_seconds");
  for (const Json& evaluation : fields.array("evaluations"))
    state.evaluations.push_back(evaluation_from_json(evaluation, "an evaluation in " + where));
  fields.finish();
  if (state.planned_steps > 0 && (state.eval_every == 0 || state.step > state.planned_steps))
    throw Error(ErrorKind::format,
                where + " has a plan of " + std::to_string(state.planned_steps) +
                    " steps, evaluations every " + std::to_string(state.eval_every) +
                    " of them, and is at step " + std::to_string(state.step) + ", which cannot be");
  return state;
}

}  // namespace

void save_checkpoint(const std::string& path, const TensorTable& table,
                     const Checkpoint& checkpoint) {
  Json json(Json::Object{});
  json.set("plan", checkpoint.plan);
  json.set("state", state_to_json(checkpoint.state));
  Metadata metadata = model_metadata(checkpoint.config, checkpoint.training);
  metadata.emplace_back(kKey, json.dump());

  std::vector<TensorSource> sources;
  for (const Section& section : kSections) {
    const std::vector<float>& values = checkpoint.*section.values;
    if (values.empty()) continue;
    for (const Tensor& tensor : table.tensors())
      sources.push_back(tensor_source(section.prefix + tensor.info.name, tensor.info.shape,
                                      values.data() + tensor.offset));
  }
  if (!checkpoint.stream.empty())
    sources.push_back(
        tensor_source(kStreamState, stream_shape(checkpoint), checkpoint.stream.data()));
  write_tensor_file(path, metadata, sources);
}

Checkpoint load_checkpoint(const std::string& path) {
  const TensorFile file(path);
  check_format(file);
  if (!file.metadata(kKey))
    throw Error(ErrorKind::format,
                quote(path) + " is not a checkpoint: its metadata has no " + quote(kKey));
  const auto where = [&path](const char* key) { return std::string(key) + " in " + quote(path); };
  Checkpoint checkpoint;
  checkpoint.config = config_from_json(metadata_json(file, "slm.config"), where("slm.config"));
  checkpoint.training =
      training_from_json(metadata_json(file, "slm.training"), where("slm.training"));
  const Json json = metadata_json(file, kKey);
  JsonFields fields(json, where(kKey));
  checkpoint.plan = fields.at("plan");
  checkpoint.state = state_from_json(fields.at("state"), "the state of " + where(kKey));
  fields.finish();

  // The header vouches for the sizes of all tensors before memory is taken for any.
  const TensorTable table(checkpoint.config);
  const bool has_best = checkpoint.state.best_step > 0;
  std::vector<std::string> names;
  for (const Section& section : kSections) {
    if (section.values == &Checkpoint::best && !has_best) continue;
    for (const Tensor& tensor : table.tensors()) {
      names.push_back(section.prefix + tensor.info.name);
      file.expect_f32(names.back(), tensor.info.shape);
    }
  }
  if (checkpoint.training.sampling == "stream") {
    names.push_back(kStreamState);
    const TensorEntry& entry = file.expect_f32(kStreamState, stream_shape(checkpoint));
    checkpoint.stream.resize(static_cast<size_t>(entry.count));
    file.read_f32(entry, checkpoint.stream.data());
  }
  file.expect_only(names);

  for (const Section& section : kSections) {
    if (section.values == &Checkpoint::best && !has_best) continue;
    std::vector<float>& values = checkpoint.*section.values;
    values.resize(static_cast<size_t>(table.num_parameters()));
    for (const Tensor& tensor : table.tensors())
      file.read_f32(*file.find(section.prefix + tensor.info.name), values.data() + tensor.offset);
  }
  return checkpoint;
}

}  // namespace slm
