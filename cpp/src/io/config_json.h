#pragma once
// Configs as they stand in files. Every field is required, but for those that came after the first
// files, and no other is allowed: a file says everything about its model, and a misspelt field is
// not silently a default.
#include "io/json.h"
#include "slm/config.h"

namespace slm {

Json config_to_json(const Config& config);
Json train_config_to_json(const TrainConfig& train_config);

// Throw Error(format) naming the field. `where` names the object: "slm.config in 'x.safetensors'".
Config config_from_json(const Json& json, const std::string& where);
TrainConfig train_config_from_json(const Json& json, const std::string& where);

}  // namespace slm
