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
// must be a training one. The window starts from `state` (L, B, N), or zero; the state after it can
// be had with Backend::save_state. Polls for interrupts; parameters are never touched.
double backward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                     const Buffer* state, Buffer& grads);

}  // namespace slm
