#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "pass/forward.h"

namespace slm {

// Forward and backward over windows of one shape, with all memory planned beforehand.
//
// The batch is cut into shards, whose number the backend chooses by the shape alone. One thread
// computes a shard from end to end, so that threads do not wait for each other or fetch each
// other's data. Each shard has its own gradients, which are added in the order of the shards.
class TrainingPass {
 public:
  TrainingPass(const Net& model, int64_t seq_len, int64_t batch_size, bool recompute);
  ~TrainingPass();

  // Adds to `grads` the losses, and the gradient of their mean. `grads` must be zero before, since
  // the gradients of an earlier run would refer to memory that this one overwrites. The window
  // starts from `state`, or from the start of a text. If `losses` is not null, waits, and writes
  // the loss of each byte to it, (T, B). Polls for interrupts; does not change parameters or
  // `state`.
  void run(const Window& window, const Buffer* state, const Dropout& dropout, Gradients& grads,
           float* losses = nullptr);
  // Puts the state after the window of the latest run in `state`, once for each run.
  void save_state(std::unique_ptr<Buffer>& state);

 private:
  struct Worker;  // the memory of one thread for a shard

  void run_shard(int64_t shard, Worker& worker, const Window& window, const Buffer* state,
                 const Dropout& dropout, Gradients& grads, float* losses);
  int64_t shard_rows() const { return batch_size_ / shards_; }
  // Calls f for each range of a state that belongs to a shard: one per layer, and one for the
  // bytes.
  void for_each_state_range(
      int64_t shard,
      const std::function<void(int64_t in_batch, int64_t in_shard, int64_t count)>& f) const;

  const Net& model_;
  const int64_t seq_len_, batch_size_, shards_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Gradients>> grads_;  // of all shards but the first
  std::unique_ptr<Buffer> end_;  // with shards: state of the whole batch after the latest run
  std::atomic<bool> stop_{false};
};

}  // namespace slm
