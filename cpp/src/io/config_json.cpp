#include "io/config_json.h"

#include <type_traits>

#include "config_fields.h"
#include "io/old_names.h"
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

  template <typename Choice>
  std::enable_if_t<std::is_enum_v<Choice>> read(const char* name, Choice& value) {
    value = choice_of<Choice>(name, fields.string(name));
  }

  template <typename T>
  void operator()(const char* name, T& value, Presence presence) {
    const char* old = old_name(name);
    if (old != nullptr && fields.has(old) && !fields.has(name)) name = old;
    if (presence == Presence::required || fields.has(name)) read(name, value);
  }
};

template <typename T>
Json value_to_json(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return choice_name(value);
  else
    return value;
}

template <typename C>
Json to_json(C config) {
  Json json = Json::Object{};
  for_each_field(config, [&](const char* name, const auto& value, Presence) {
    json.set(name, value_to_json(value));
  });
  return json;
}

template <typename C>
C from_json(const Json& json, const std::string& where) {
  C config;
  FieldReader reader{JsonFields(json, where)};
  try {
    for_each_field(config, reader);
    reader.fields.finish();
    validate(config);
  } catch (const Error& error) {
    // A value out of range is the file's fault here, not the caller's.
    if (error.kind() != ErrorKind::config) throw;
    throw Error(ErrorKind::format, "in " + where + ", " + error.what());
  }
  return config;
}

}  // namespace

Json config_to_json(const Config& config) { return to_json(config); }
Json train_config_to_json(const TrainConfig& train_config) { return to_json(train_config); }

Config config_from_json(const Json& json, const std::string& where) {
  return from_json<Config>(json, where);
}

TrainConfig train_config_from_json(const Json& json, const std::string& where) {
  return from_json<TrainConfig>(json, where);
}

}  // namespace slm
