#pragma once
// The way of a window through the model: embedding, layers, head and back, in chunks of time.
#include <algorithm>
#include <memory>
#include <vector>

#include "model_impl.h"

namespace slm {

// Bytes (T, B) and what follows each of them; targets may be null where no loss is asked for.
struct Window {
  const uint8_t* inputs;
  const uint8_t* targets;
  int64_t seq_len;
  int64_t batch_size;
};

// A range of time steps cut into pieces of `steps`.
struct Chunks {
  int64_t seq_len, steps;

  int64_t count() const { return (seq_len + steps - 1) / steps; }
  int64_t begin(int64_t i) const { return i * steps; }
  int64_t end(int64_t i) const { return std::min(seq_len, (i + 1) * steps); }
};

// logits (T, B, V) and losses (T, B; nats) may be null. `state`, if given, is where the window
// starts and is moved on once the whole window has been computed.
void forward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                  Buffer* state, float* logits, float* losses);

// Forward and backward over windows of one shape, with all memory planned beforehand.
//
// With `recompute`, only the states between segments of about √(T / chunk) chunks are kept; each
// segment is computed a second time when the backward pass comes to it. The bits are the same.
class TrainingPass {
 public:
  TrainingPass(const Model::Impl& model, int64_t seq_len, int64_t batch_size, bool recompute);

  // Adds to `grads` and returns the mean loss. The window starts from `state`, or from the start of
  // a text. Polls for interrupts; parameters and `state` are never touched.
  double run(const Window& window, const Buffer* state, const Dropout& dropout, Gradients& grads);
  // The state after the window of the latest run, and the loss of each of its bytes (T, B).
  void save_state(Buffer& state) const;
  const std::vector<float>& losses() const { return losses_; }

  // Of the workspace and the kept states.
  static int64_t bytes(const Model::Impl& model, int64_t seq_len, int64_t batch_size,
                       bool recompute);

 private:
  void forward(const Window& window, const Buffer* state, const Dropout& dropout, int64_t begin,
               int64_t end);
  void backward(int64_t steps, Gradients& grads);

  const Model::Impl& model_;
  const Chunks segments_;
  std::unique_ptr<Workspace> workspace_;         // of one segment
  std::vector<std::unique_ptr<Buffer>> states_;  // after each segment
  std::vector<float> losses_;                    // (T, B)
};

}  // namespace slm
