#include "pass/training_pass.h"

#include <exception>
#include <mutex>

#include "pass/profile.h"
#include "pass/shard_pass.h"
#include "util/interrupt.h"

namespace slm {

struct TrainingPass::Worker {
  Worker(const Net& model, int64_t seq_len, int64_t rows, bool recompute)
      : pass(model, seq_len, rows, recompute) {}

  ShardPass pass;
  std::unique_ptr<Buffer> start;                 // of shards: their rows of the state
  std::vector<uint8_t> inputs, targets, starts;  // of shards: (T, rows)
  std::vector<float> losses;                     // the same, where they are asked for
};

TrainingPass::TrainingPass(const Net& model, int64_t seq_len, int64_t batch_size, bool recompute)
    : model_(model),
      seq_len_(seq_len),
      batch_size_(batch_size),
      shards_(model.backend->num_shards(model.config, batch_size)) {
  const Backend& backend = *model.backend;
  for (int64_t i = 0; i < std::min(shards_, backend.num_workers()); ++i)
    workers_.push_back(std::make_unique<Worker>(model, seq_len, shard_rows(), recompute));
  for (int64_t i = 1; i < shards_; ++i)
    grads_.push_back(backend.make_gradients(model.config, model.table, seq_len * shard_rows()));
  if (shards_ == 1) return;
  for (const auto& worker : workers_)
    worker->start = backend.make_buffer(state_size(model.config, shard_rows()));
  end_ = backend.make_buffer(state_size(model.config, batch_size));
}

TrainingPass::~TrainingPass() = default;

void TrainingPass::run(const Window& window, const Buffer* state, const Dropout& dropout,
                       Gradients& grads, float* losses) {
  const Backend& backend = *model_.backend;
  stop_ = false;
  std::mutex mutex;
  std::exception_ptr failure;
  // The first one ends all shards.
  const auto fail = [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!stop_) failure = std::current_exception();
    stop_ = true;
  };
  const auto compute = [&](int64_t shard, int64_t worker) {
    try {
      run_shard(shard, *workers_[static_cast<size_t>(worker)], window, state, dropout,
                shard == 0 ? grads : *grads_[static_cast<size_t>(shard - 1)], losses);
    } catch (...) {
      fail();
    }
  };
  // Poll for interrupts while waiting for the remaining shards.
  const auto poll_caller = [&] {
    if (stop_) return;
    try {
      poll_interrupt();
    } catch (...) {
      fail();
    }
  };
  if (is_profiling())
    for (int64_t shard = 0; shard < shards_; ++shard) compute(shard, 0);
  else
    backend.run_parallel(shards_, compute, poll_caller);
  if (failure) {
    for (const auto& each : grads_) backend.clear(*each);
    std::rethrow_exception(failure);
  }
  const ScopedTimer timer("add_gradients");
  backend.add_gradients(grads_, grads);
}

void TrainingPass::run_shard(int64_t shard, Worker& worker, const Window& window,
                             const Buffer* state, const Dropout& dropout, Gradients& grads,
                             float* losses) {
  const float scale = 1.0f / static_cast<float>(seq_len_ * batch_size_);
  const int64_t rows = shard_rows(), first = shard * rows;
  Dropout here = dropout;
  here.first += static_cast<uint64_t>(first);
  here.row += static_cast<uint64_t>(first);
  here.batch_size = batch_size_;
  if (shards_ == 1) {
    worker.pass.run(window, state, here, scale, stop_, grads, losses);
    return;
  }
  Window part{nullptr, nullptr, seq_len_, rows};
  const auto take_rows = [&](const uint8_t* from, std::vector<uint8_t>& to) -> const uint8_t* {
    if (from == nullptr) return nullptr;
    to.resize(static_cast<size_t>(seq_len_ * rows));
    for (int64_t t = 0; t < seq_len_; ++t)
      std::copy_n(from + t * batch_size_ + first, rows, to.data() + t * rows);
    return to.data();
  };
  part.inputs = take_rows(window.inputs, worker.inputs);
  part.targets = take_rows(window.targets, worker.targets);
  part.starts = take_rows(window.starts, worker.starts);
  const Backend& backend = *model_.backend;
  if (state != nullptr) {
    const ScopedTimer timer("copy_part");
    for_each_state_range(shard, [&](int64_t in_batch, int64_t in_shard, int64_t count) {
      backend.copy_part(*state, in_batch, count, *worker.start, in_shard);
    });
  }
  if (losses != nullptr) worker.losses.resize(worker.inputs.size());
  worker.pass.run(part, state ? worker.start.get() : nullptr, here, scale, stop_, grads,
                  losses ? worker.losses.data() : nullptr);
  const ScopedTimer timer("copy_part");
  for_each_state_range(shard, [&](int64_t in_batch, int64_t in_shard, int64_t count) {
    backend.copy_part(worker.pass.end_state(), in_shard, count, *end_, in_batch);
  });
  if (losses == nullptr) return;
  for (int64_t t = 0; t < seq_len_; ++t)
    std::copy_n(worker.losses.data() + t * rows, rows, losses + t * batch_size_ + first);
}

void TrainingPass::for_each_state_range(
    int64_t shard,
    const std::function<void(int64_t in_batch, int64_t in_shard, int64_t count)>& f) const {
  const int64_t rows = shard_rows(), first = shard * rows;
  const int64_t N = model_.config.state_dim, K = history_size(model_.config);
  for (int64_t i = 0; i < model_.config.num_layers; ++i)
    f((i * batch_size_ + first) * N, i * rows * N, rows * N);
  f(hidden_size(model_.config, batch_size_) + first * K, hidden_size(model_.config, rows),
    rows * K);
}

// With shards, swap instead of copy: with matches the state can be megabytes.
void TrainingPass::save_state(std::unique_ptr<Buffer>& state) {
  if (shards_ == 1)
    model_.backend->copy(workers_[0]->pass.end_state(), *state);
  else
    std::swap(state, end_);
}

}  // namespace slm
