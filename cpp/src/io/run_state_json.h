#pragma once
// A run's state as it stands in a checkpoint.
#include "io/checkpoint.h"

namespace slm {

Json run_state_to_json(const RunState& state);
// Throws Error(format) naming the field. `where` names the object: "the state of 'x.safetensors'".
RunState run_state_from_json(const Json& json, const std::string& where);

}  // namespace slm
