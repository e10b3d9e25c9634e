#include "io/config_json.h"

#include "slm/error.h"

namespace slm {
namespace {

// The fields stand in one list, for both ways and in the order of the file.
template <typename C, typename F>
void for_each_model_field(C& config, F&& field) {
  field("cell", config.cell);
  field("embed_dim", config.embed_dim);
  field("state_dim", config.state_dim);
  field("num_layers", config.num_layers);
  field("init", config.init);
}

template <typename C, typename F>
void for_each_training_field(C& training, F&& field) {
  field("steps", training.steps);
  field("seq_len", training.seq_len);
  field("batch_size", training.batch_size);
  field("learning_rate", training.learning_rate);
  field("beta1", training.beta1);
  field("beta2", training.beta2);
  field("epsilon", training.epsilon);
  field("weight_decay", training.weight_decay);
  field("clip_norm", training.clip_norm);
  field("warmup_steps", training.warmup_steps);
  field("schedule", training.schedule);
  field("sampling", training.sampling);
  field("seed", training.seed);
}

struct FieldWriter {
  Json json = Json::Object{};
  template <typename T>
  void operator()(const char* name, const T& value) {
    json.set(name, value);
  }
};

struct FieldReader {
  JsonFields fields;
  void operator()(const char* name, std::string& value) { value = fields.string(name); }
  void operator()(const char* name, int64_t& value) { value = fields.integer(name); }
  void operator()(const char* name, uint64_t& value) { value = fields.unsigned_integer(name); }
  void operator()(const char* name, float& value) { value = fields.real(name); }
};

// What is out of range is the file's fault here, not the caller's.
template <typename C>
void validate_read(const C& config, const std::string& where) {
  try {
    validate(config);
  } catch (const Error& error) {
    throw Error(ErrorKind::format, "in " + where + ", " + error.what());
  }
}

}  // namespace

Json config_to_json(const Config& config) {
  FieldWriter writer;
  for_each_model_field(config, writer);
  return writer.json;
}

Json training_to_json(const TrainConfig& training) {
  FieldWriter writer;
  for_each_training_field(training, writer);
  return writer.json;
}

Config config_from_json(const Json& json, const std::string& where) {
  Config config;
  FieldReader reader{JsonFields(json, where)};
  for_each_model_field(config, reader);
  reader.fields.finish();
  validate_read(config, where);
  return config;
}

TrainConfig training_from_json(const Json& json, const std::string& where) {
  TrainConfig training;
  FieldReader reader{JsonFields(json, where)};
  for_each_training_field(training, reader);
  reader.fields.finish();
  validate_read(training, where);
  return training;
}

}  // namespace slm
