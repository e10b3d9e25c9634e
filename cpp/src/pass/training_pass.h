#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "pass/forward.h"

namespace slm {

// Forward and backward over windows of one shape, with all memory planned beforehand.
//
// The batch is cut into shards, whose number the backend chooses by the shape alone. A shard is
// computed from end to end by one thread, so that threads do not wait for each other or fetch each
// other's data; and its gradients are its own and are added up in the order of the shards.
class TrainingPass {
 public:
  TrainingPass(const Model::Impl& model, int64_t seq_len, int64_t batch_size, bool recompute);
  ~TrainingPass();

  // Adds to `grads` the losses, and the gradient of their mean; of an earlier run there may be
  // nothing in them, which would refer to memory of this pass that is written again. The window
  // starts from `state`, or from the start of a text. Where `losses` is not null, the loss of each
  // byte goes there, (T, B), which waits for it. Polls for interrupts; parameters and `state` are
  // never touched.
  void run(const Window& window, const Buffer* state, const Dropout& dropout, Gradients& grads,
           float* losses = nullptr);
  // Puts the state after the window of the latest run in `state`, once for each run.
  void save_state(std::unique_ptr<Buffer>& state);

 private:
  struct Worker;  // what a thread needs for a shard

  void run_shard(int64_t shard, Worker& worker, const Window& window, const Buffer* state,
                 const Dropout& dropout, Gradients& grads, float* losses);
  int64_t shard_rows() const { return batch_size_ / shards_; }
  // Floats of a state that belong to a shard, one call per layer and one for the bytes.
  void for_each_part(
      int64_t shard,
      const std::function<void(int64_t whole, int64_t part, int64_t count)>& f) const;

  const Model::Impl& model_;
  const int64_t seq_len_, batch_size_, shards_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Gradients>> grads_;  // of all shards but the first
  std::unique_ptr<Buffer> end_;  // state of the whole batch after the latest run, of shards
  std::atomic<bool> stop_{false};
};

}  // namespace slm
