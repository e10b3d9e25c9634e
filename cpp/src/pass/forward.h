#pragma once
// The forward pass over a window, in chunks of time: embedding, then layer after layer, then the
// head.
#include <algorithm>
#include <functional>

#include "net.h"
#include "text/window.h"

namespace slm {

// A range of time steps cut into chunks, or segments, of `steps`.
struct Chunks {
  int64_t seq_len, steps;

  int64_t count() const { return (seq_len + steps - 1) / steps; }
  int64_t begin(int64_t i) const { return i * steps; }
  int64_t end(int64_t i) const { return std::min(seq_len, (i + 1) * steps); }
};

// Embedding and layers of the time steps [t0, t1); `poll` is called after each layer.
void forward_chunk(const Net& model, Workspace& workspace, int64_t t0, int64_t t1,
                   const std::function<void()>& poll);

// Backend::capture_or_run of the model's backend, and just `run` while operations are timed.
void capture_or_run(const Net& model, Workspace& workspace, const Gradients* grads, GraphKey key,
                    int64_t steps, const std::function<void()>& run);

// logits (T, B, V) and losses (T, B; nats) may be null. `state`, if given, is where the window
// starts and is moved on once the whole window has been computed.
void forward_pass(const Net& model, Workspace& workspace, const Window& window, Buffer* state,
                  float* logits, float* losses);

}  // namespace slm
