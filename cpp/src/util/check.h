#pragma once
// Checks of arguments that several public members share.
#include <string>

#include "slm/model.h"

namespace slm {

// Throws Error(config): seq_len and batch_size must be at least 1 and the state of that batch size.
void check_window(const char* where, int64_t seq_len, int64_t batch_size, const State* state);

}  // namespace slm
