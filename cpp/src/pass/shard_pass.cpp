#include "pass/shard_pass.h"

#include <cmath>

#include "pass/profile.h"
#include "util/interrupt.h"

namespace slm {
namespace {

// The window cut into segments; without recomputing, into one.
Chunks segments_of(const Net& model, int64_t seq_len, int64_t batch_size, bool recompute) {
  const Chunks chunks{seq_len, model.backend->chunk_steps(model.config, batch_size)};
  if (!recompute) return {seq_len, seq_len};
  const double root = std::sqrt(static_cast<double>(chunks.count()));
  return {seq_len, std::min(seq_len, chunks.steps * static_cast<int64_t>(std::ceil(root)))};
}

}  // namespace

ShardPass::ShardPass(const Net& model, int64_t seq_len, int64_t batch_size, bool recompute)
    : model_(model),
      segments_(segments_of(model, seq_len, batch_size, recompute)),
      batch_size_(batch_size),
      workspace_(model.backend->make_workspace(model.config,
                                               {segments_.steps, batch_size, /*training=*/true})) {
  for (int64_t i = 0; i < segments_.count(); ++i)
    states_.push_back(model.backend->make_buffer(state_size(model.config, batch_size)));
}

void ShardPass::poll() const {
  if (*stop_) throw Error(ErrorKind::cancelled, "stopped by another thread");
  poll_interrupt();
}

// All but the last segment are computed for the sake of the state that they end in, and once more
// when the backward pass needs what is inside them.
void ShardPass::run(const Window& window, const Buffer* state, const Dropout& dropout, float scale,
                    const std::atomic<bool>& stop, Gradients& grads, float* losses) {
  stop_ = &stop;
  const int64_t last = segments_.count() - 1;
  const auto start_of = [&](int64_t i) {
    return i == 0 ? state : states_[static_cast<size_t>(i - 1)].get();
  };
  for (int64_t i = 0; i < last; ++i) {
    forward(window, start_of(i), dropout, segments_.begin(i), segments_.end(i));
    const ScopedTimer timer("save_state");
    model_.backend->save_state(*workspace_, *states_[static_cast<size_t>(i)]);
  }
  model_.backend->begin_backward(*workspace_);
  for (int64_t i = last; i >= 0; --i) {
    const int64_t begin = segments_.begin(i), end = segments_.end(i);
    forward(window, start_of(i), dropout, begin, end);
    if (i == last) {
      const ScopedTimer timer("save_state");
      model_.backend->save_state(*workspace_, *states_.back());
    }
    capture_or_run(model_, *workspace_, &grads, GraphKey::backward, end - begin,
                   [&] { backward(end - begin, scale, grads); });
    if (losses == nullptr) continue;
    const ScopedTimer timer("read_losses");
    model_.backend->read_losses(*workspace_, 0, end - begin, losses + begin * batch_size_);
  }
}

void ShardPass::forward(const Window& window, const Buffer* state, const Dropout& dropout,
                        int64_t begin, int64_t end) {
  Dropout here = dropout;
  here.first += static_cast<uint64_t>(begin * dropout.batch_size);
  {
    const ScopedTimer timer("begin_window");
    model_.backend->begin_window(*workspace_, window.part(begin, end), state, here);
  }
  const Chunks chunks{end - begin, model_.backend->chunk_steps(model_.config, window.batch_size)};
  poll();
  capture_or_run(model_, *workspace_, nullptr, GraphKey::forward, end - begin, [&] {
    for (int64_t i = 0; i < chunks.count(); ++i)
      forward_chunk(model_, *workspace_, chunks.begin(i), chunks.end(i), [this] { poll(); });
  });
}

void ShardPass::backward(int64_t steps, float scale, Gradients& grads) {
  const Backend& backend = *model_.backend;
  const Weights& weights = *model_.weights;
  const Chunks chunks{steps, backend.chunk_steps(model_.config, batch_size_)};
  for (int64_t c = chunks.count() - 1; c >= 0; --c) {
    const int64_t t0 = chunks.begin(c), t1 = chunks.end(c);
    ScopedTimer timer("head_loss");
    backend.head_loss(weights, *workspace_, t0, t1, scale);
    timer.next("add_losses");
    backend.add_losses(*workspace_, t0, t1, grads);
    if (has_head(model_.config)) {
      timer.next("head_backward");
      backend.head_backward(weights, *workspace_, grads, t0, t1);
    }
    for (int64_t i = model_.config.num_layers - 1; i >= 0; --i) {
      if (model_.config.mlp_dim > 0) {
        timer.next("mlp_backward");
        backend.mlp_backward(weights, *workspace_, grads, i, t0, t1);
      }
      timer.next("layer_backward");
      backend.layer_backward(weights, *workspace_, grads, i, t0, t1);
      poll();
    }
    timer.next("embed_backward");
    backend.embed_backward(weights, *workspace_, grads, t0, t1);
  }
}

}  // namespace slm
