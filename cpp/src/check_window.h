#pragma once
// Checks of arguments that several public members share.
#include <string>

#include "net.h"
#include "slm/model.h"

namespace slm {

// Throws Error(config): seq_len and batch_size must be at least 1, their product at most
// kMaxPositions, and the state, if there is one, of that batch size.
void check_window(const char* where, const Net& model, int64_t seq_len, int64_t batch_size,
                  const State* state);
// Throws Error(config) unless the state was made by a model of the same config on the same device:
// Model::step computes in the state's own workspace.
void check_state(const char* where, const Net& model, const State& state);

}  // namespace slm
