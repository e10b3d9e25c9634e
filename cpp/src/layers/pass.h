#pragma once
// The way of a window through the model: embedding, layers, head and back, in chunks of time.
#include "model_impl.h"

namespace slm {

// Bytes (T, B) and what follows each of them; targets may be null where no loss is asked for.
struct Window {
  const uint8_t* inputs;
  const uint8_t* targets;
  int64_t seq_len;
  int64_t batch_size;
};

// logits (T, B, V) and losses (T, B; nats) may be null. `state` (L, B, N), if given, is where the
// window starts and is moved on once the whole window has been computed.
void forward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                  Buffer* state, float* logits, float* losses);

// Forward and backward: adds to `grads` (num_parameters) and returns the mean loss. The workspace
// must be a training one. Polls for interrupts; a stopped pass leaves `state` and the parameters
// as they were.
double backward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                     Buffer* state, Buffer& grads);

}  // namespace slm
