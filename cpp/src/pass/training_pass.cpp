#include "layers/pass.h"

#include <exception>
#include <mutex>

#include "layers/lane.h"
#include "util/interrupt.h"

namespace slm {

void forward_chunk(const Model::Impl& model, Workspace& workspace, int64_t t0, int64_t t1,
                   const std::function<void()>& poll) {
  const Backend& backend = *model.backend;
  backend.embed_forward(*model.weights, workspace, t0, t1);
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    backend.layer_forward(*model.weights, workspace, i, t0, t1);
    if (model.config.mlp_dim > 0) backend.mlp_forward(*model.weights, workspace, i, t0, t1);
    poll();
  }
}

void forward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                  Buffer* state, float* logits, float* losses) {
  const Backend& backend = *model.backend;
  const int64_t B = window.batch_size;
  const Chunks chunks{window.seq_len, backend.chunk_steps(model.config, B)};
  // Each chunk is a window of its own, so that a text of any length fits the same workspace.
  std::unique_ptr<Buffer> carried;
  if (chunks.count() > 1) {
    carried = backend.make_buffer(state_size(model.config, B));
  }
  const Buffer* from = state;
  for (int64_t i = 0; i < chunks.count(); ++i) {
    const int64_t at = chunks.begin(i) * B, steps = chunks.end(i) - chunks.begin(i);
    const uint8_t* targets = window.targets ? window.targets + at : nullptr;
    backend.begin_window(workspace, window.inputs + at, targets, steps, from, Dropout{});
    poll_interrupt();
    const int64_t operations = logits != nullptr ? kForwardAndLogits : kForward;
    backend.replay(workspace, *model.weights, nullptr, operations, steps, [&] {
      forward_chunk(model, workspace, 0, steps, poll_interrupt);
      if (logits != nullptr) backend.head_logits(*model.weights, workspace, 0, steps);
    });
    if (logits != nullptr) backend.read_logits(workspace, steps * B, logits + at * kVocabSize);
    if (losses != nullptr) {
      backend.head_loss(*model.weights, workspace, 0, steps, 1.0f);
      backend.read_losses(workspace, 0, steps, losses + at);
    }
    if (carried) {
      backend.save_state(workspace, *carried);
      from = carried.get();
    }
  }
  if (carried && state != nullptr)
    backend.copy(*carried, *state);
  else if (state != nullptr)
    backend.save_state(workspace, *state);
}

struct TrainingPass::Worker {
  Worker(const Model::Impl& model, int64_t seq_len, int64_t rows, bool recompute)
      : lane(model, seq_len, rows, recompute),
        inputs(static_cast<size_t>(seq_len * rows)),
        targets(inputs.size()) {}

  Lane lane;
  std::unique_ptr<Buffer> start;         // of shards: their part of the state
  std::vector<uint8_t> inputs, targets;  // (T, rows)
  std::vector<float> losses;             // the same, where they are asked for
  bool busy = false;
};

TrainingPass::TrainingPass(const Model::Impl& model, int64_t seq_len, int64_t batch_size,
                           bool recompute)
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

int64_t TrainingPass::bytes(const Model::Impl& model, int64_t seq_len, int64_t batch_size,
                            bool recompute) {
  const int64_t shards = model.backend->num_shards(model.config, batch_size);
  const int64_t workers = std::min(shards, model.backend->num_workers());
  const int64_t rows = batch_size / shards;
  const int64_t states =
      shards == 1 ? 0
                  : workers * state_size(model.config, rows) + state_size(model.config, batch_size);
  return workers * Lane::bytes(model, seq_len, rows, recompute) +
         (shards - 1) * model.backend->gradients_bytes(model.table, seq_len * rows) +
         states * static_cast<int64_t>(sizeof(float));
}

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
  const auto compute = [&](int64_t shard) {
    Worker* worker = nullptr;
    try {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        for (const auto& each : workers_)
          if (!each->busy) worker = each.get();
        worker->busy = true;
      }
      run_shard(shard, *worker, window, state, dropout, shard == 0 ? grads : *grads_[shard - 1],
                losses);
    } catch (...) {
      fail();
    }
    const std::lock_guard<std::mutex> lock(mutex);
    if (worker != nullptr) worker->busy = false;
  };
  // Nobody else can be asked to stop while this thread waits for the last shards.
  const auto ask = [&] {
    if (stop_) return;
    try {
      poll_interrupt();
    } catch (...) {
      fail();
    }
  };
  backend.run_parallel(shards_, compute, ask);
  if (failure) {
    for (const auto& each : grads_) backend.clear(*each);
    std::rethrow_exception(failure);
  }
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
    worker.lane.run(window, state, here, scale, stop_, grads, losses);
    return;
  }
  for (int64_t t = 0; t < seq_len_; ++t) {
    std::copy_n(window.inputs + t * batch_size_ + first, rows, worker.inputs.data() + t * rows);
    std::copy_n(window.targets + t * batch_size_ + first, rows, worker.targets.data() + t * rows);
  }
  const Backend& backend = *model_.backend;
  if (state != nullptr)
    each_part(shard, [&](int64_t whole, int64_t part, int64_t count) {
      backend.copy_part(*state, whole, count, *worker.start, part);
    });
  if (losses != nullptr) worker.losses.resize(worker.inputs.size());
  worker.lane.run({worker.inputs.data(), worker.targets.data(), seq_len_, rows},
                  state ? worker.start.get() : nullptr, here, scale, stop_, grads,
                  losses ? worker.losses.data() : nullptr);
  each_part(shard, [&](int64_t whole, int64_t part, int64_t count) {
    backend.copy_part(worker.lane.end_state(), part, count, *end_, whole);
  });
  if (losses == nullptr) return;
  for (int64_t t = 0; t < seq_len_; ++t)
    std::copy_n(worker.losses.data() + t * rows, rows, losses + t * batch_size_ + first);
}

void TrainingPass::each_part(
    int64_t shard, const std::function<void(int64_t whole, int64_t part, int64_t count)>& f) const {
  const int64_t rows = shard_rows(), first = shard * rows;
  const int64_t N = model_.config.state_dim, K = history_size(model_.config);
  for (int64_t i = 0; i < model_.config.num_layers; ++i)
    f((i * batch_size_ + first) * N, i * rows * N, rows * N);
  f(hidden_size(model_.config, batch_size_) + first * K, hidden_size(model_.config, rows),
    rows * K);
}

// Of shards, by exchange: it is large where matches look far back.
void TrainingPass::save_state(std::unique_ptr<Buffer>& state) {
  if (shards_ == 1)
    model_.backend->copy(workers_[0]->lane.end_state(), *state);
  else
    std::swap(state, end_);
}

}  // namespace slm
