#include "io/config_json.h"

#include "config_fields.h"
#include "slm/error.h"

namespace slm {
namespace {

struct FieldReader {
  JsonFields fields;

  void read(const char* name, bool& value) { value = fields.boolean(name); }
  void read(const char* name, std::string& value) { value = fields.string(name); }
  void read(const char* name, int64_t& value) { value = fields.integer(name); }
  void read(const char* name, uint64_t& value) { value = fields.unsigned_integer(name); }
  void read(const char* name, float& value) { value = fields.real(name); }
  void read(const char* name, std::vector<int64_t>& value) { value = fields.integers(name); }

  template <typename T>
  void operator()(const char* name, T& value, FieldAge age) {
    if (age == FieldAge::original || fields.has(name)) read(name, value);
  }
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

template <typename C>
Json to_json(C config) {
  Json json = Json::Object{};
  each_field(config, [&](const char* name, const auto& value, FieldAge) { json.set(name, value); });
  return json;
}

template <typename C>
C from_json(const Json& json, const std::string& where) {
  C config;
  FieldReader reader{JsonFields(json, where)};
  each_field(config, reader);
  reader.fields.finish();
  validate_read(config, where);
  return config;
}

}  // namespace

Json config_to_json(const Config& config) { return to_json(config); }
Json training_to_json(const TrainConfig& training) { return to_json(training); }

Config config_from_json(const Json& json, const std::string& where) {
  return from_json<Config>(json, where);
}

TrainConfig training_from_json(const Json& json, const std::string& where) {
  return from_json<TrainConfig>(json, where);
}

}  // namespace slm
