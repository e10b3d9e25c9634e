#include "layers/pass.h"

#include <cmath>

#include "util/interrupt.h"

namespace slm {
namespace {

void forward_chunk(const Model::Impl& model, Workspace& workspace, int64_t t0, int64_t t1) {
  const Backend& backend = *model.backend;
  backend.embed_forward(*model.weights, workspace, t0, t1);
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    backend.layer_forward(*model.weights, workspace, i, t0, t1);
    if (model.config.mlp_dim > 0) backend.mlp_forward(*model.weights, workspace, i, t0, t1);
    poll_interrupt();
  }
}

// The window cut into segments; without recomputing, into one.
Chunks segments_of(const Model::Impl& model, int64_t seq_len, int64_t batch_size, bool recompute) {
  const Chunks chunks{seq_len, model.backend->chunk_steps(model.config, batch_size)};
  if (!recompute) return {seq_len, seq_len};
  const double root = std::sqrt(static_cast<double>(chunks.count()));
  return {seq_len, std::min(seq_len, chunks.steps * static_cast<int64_t>(std::ceil(root)))};
}

void backward_chunk(const Model::Impl& model, Workspace& workspace, Gradients& grads, int64_t t0,
                    int64_t t1) {
  const Backend& backend = *model.backend;
  if (has_head(model.config)) backend.head_backward(*model.weights, workspace, grads, t0, t1);
  for (int64_t i = model.config.num_layers - 1; i >= 0; --i) {
    if (model.config.mlp_dim > 0) backend.mlp_backward(*model.weights, workspace, grads, i, t0, t1);
    backend.layer_backward(*model.weights, workspace, grads, i, t0, t1);
    poll_interrupt();
  }
  backend.embed_backward(*model.weights, workspace, grads, t0, t1);
}

}  // namespace

void forward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                  Buffer* state, float* logits, float* losses) {
  const Backend& backend = *model.backend;
  const int64_t B = window.batch_size;
  const Chunks chunks{window.seq_len, backend.chunk_steps(model.config, B)};
  // Each chunk is a window of its own, so that a text of any length fits the same workspace.
  std::unique_ptr<Buffer> carried;
  if (chunks.count() > 1) {
    carried = backend.make_buffer(state_size(model.config, B));
    if (state != nullptr) backend.copy(*state, *carried);
  }
  const Buffer* from = state;
  for (int64_t i = 0; i < chunks.count(); ++i) {
    const int64_t at = chunks.begin(i) * B, steps = chunks.end(i) - chunks.begin(i);
    const uint8_t* targets = window.targets ? window.targets + at : nullptr;
    backend.begin_window(workspace, window.inputs + at, targets, steps, from, Dropout{});
    forward_chunk(model, workspace, 0, steps);
    if (logits != nullptr) {
      backend.head_logits(*model.weights, workspace, 0, steps);
      backend.read_logits(workspace, steps * B, logits + at * kVocabSize);
    }
    if (losses != nullptr) {
      backend.head_loss(*model.weights, workspace, 0, steps, 1.0f);
      backend.read_losses(workspace, 0, steps, losses + at);
    }
    if (carried) {
      backend.save_state(workspace, *carried);
      from = carried.get();
    }
  }
  if (state != nullptr) backend.save_state(workspace, *state);
}

TrainingPass::TrainingPass(const Model::Impl& model, int64_t seq_len, int64_t batch_size,
                           bool recompute)
    : model_(model),
      segments_(segments_of(model, seq_len, batch_size, recompute)),
      workspace_(model.backend->make_workspace(model.config,
                                               {segments_.steps, batch_size, /*training=*/true})),
      losses_(static_cast<size_t>(seq_len * batch_size)) {
  for (int64_t i = 0; i < segments_.count(); ++i)
    states_.push_back(model.backend->make_buffer(state_size(model.config, batch_size)));
}

int64_t TrainingPass::bytes(const Model::Impl& model, int64_t seq_len, int64_t batch_size,
                            bool recompute) {
  const Chunks segments = segments_of(model, seq_len, batch_size, recompute);
  const int64_t floats =
      segments.count() * state_size(model.config, batch_size) + seq_len * batch_size;
  return model.backend->workspace_bytes(model.config,
                                        {segments.steps, batch_size, /*training=*/true}) +
         floats * static_cast<int64_t>(sizeof(float));
}

// All but the last segment are computed for the sake of the state that they end in, and once more
// when the backward pass needs what is inside them.
double TrainingPass::run(const Window& window, const Buffer* state, const Dropout& dropout,
                         Gradients& grads) {
  const int64_t last = segments_.count() - 1;
  const auto start_of = [&](int64_t i) {
    return i == 0 ? state : states_[static_cast<size_t>(i - 1)].get();
  };
  for (int64_t i = 0; i < last; ++i) {
    forward(window, start_of(i), dropout, segments_.begin(i), segments_.end(i));
    model_.backend->save_state(*workspace_, *states_[static_cast<size_t>(i)]);
  }
  model_.backend->begin_backward(*workspace_);
  for (int64_t i = last; i >= 0; --i) {
    const int64_t begin = segments_.begin(i), end = segments_.end(i);
    forward(window, start_of(i), dropout, begin, end);
    if (i == last) model_.backend->save_state(*workspace_, *states_.back());
    backward(end - begin, grads);
    model_.backend->read_losses(*workspace_, 0, end - begin,
                                losses_.data() + begin * window.batch_size);
  }
  double sum = 0;
  for (float loss : losses_) sum += double{loss};
  return sum / static_cast<double>(losses_.size());
}

void TrainingPass::save_state(Buffer& state) const { model_.backend->copy(*states_.back(), state); }

void TrainingPass::forward(const Window& window, const Buffer* state, const Dropout& dropout,
                           int64_t begin, int64_t end) {
  const int64_t at = begin * window.batch_size;
  Dropout here = dropout;
  here.first += static_cast<uint64_t>(at);
  model_.backend->begin_window(*workspace_, window.inputs + at, window.targets + at, end - begin,
                               state, here);
  const Chunks chunks{end - begin, model_.backend->chunk_steps(model_.config, window.batch_size)};
  for (int64_t i = 0; i < chunks.count(); ++i)
    forward_chunk(model_, *workspace_, chunks.begin(i), chunks.end(i));
}

void TrainingPass::backward(int64_t steps, Gradients& grads) {
  const auto positions = static_cast<int64_t>(losses_.size());
  const int64_t batch_size = positions / segments_.seq_len;
  const Chunks chunks{steps, model_.backend->chunk_steps(model_.config, batch_size)};
  for (int64_t i = chunks.count() - 1; i >= 0; --i) {
    model_.backend->head_loss(*model_.weights, *workspace_, chunks.begin(i), chunks.end(i),
                              1.0f / static_cast<float>(positions));
    backward_chunk(model_, *workspace_, grads, chunks.begin(i), chunks.end(i));
  }
}

}  // namespace slm
