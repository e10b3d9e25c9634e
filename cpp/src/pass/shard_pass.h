#pragma once
// Forward and backward pass of one shard: run by one thread, or by all when the batch is a single
// shard.
#include <atomic>
#include <memory>
#include <vector>

#include "pass/forward.h"

namespace slm {

// `recompute` is activation checkpointing: only the states between segments of about √n of the n
// chunks are kept, and each segment is computed again when the backward pass reaches it. The bits
// are the same.
class ShardPass {
 public:
  ShardPass(const Net& model, int64_t seq_len, int64_t batch_size, bool recompute);

  // Adds to `grads` the losses, and the gradient of their sum times `scale`. The window starts from
  // `state`, or from the start of a text. Where `losses` is not null, the loss of each byte goes
  // there, (T, B), which waits for it. Throws Error(cancelled) when `stop` is set, or for the
  // reasons of poll_interrupt.
  void run(const Window& window, const Buffer* state, const Dropout& dropout, float scale,
           const std::atomic<bool>& stop, Gradients& grads, float* losses);
  // After the window of the latest run.
  const Buffer& end_state() const { return *states_.back(); }

 private:
  void forward(const Window& window, const Buffer* state, const Dropout& dropout, int64_t begin,
               int64_t end);
  void backward(int64_t steps, float scale, Gradients& grads);
  void poll() const;

  const Net& model_;
  const Chunks segments_;
  const int64_t batch_size_;
  std::unique_ptr<Workspace> workspace_;         // of one segment
  std::vector<std::unique_ptr<Buffer>> states_;  // after each segment
  const std::atomic<bool>* stop_ = nullptr;      // of the current run
};

}  // namespace slm
