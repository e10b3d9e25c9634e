#include "layers/pass.h"

#include <algorithm>
#include <vector>

#include "util/interrupt.h"

namespace slm {
namespace {

// The time steps of a window, in the pieces that one operation covers.
struct Chunks {
  int64_t seq_len, steps;

  int64_t count() const { return (seq_len + steps - 1) / steps; }
  int64_t begin(int64_t i) const { return i * steps; }
  int64_t end(int64_t i) const { return std::min(seq_len, (i + 1) * steps); }
};

void forward_chunk(const Model::Impl& model, Workspace& workspace, int64_t t0, int64_t t1) {
  const Backend& backend = *model.backend;
  backend.embed_forward(*model.weights, workspace, t0, t1);
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    backend.layer_forward(*model.weights, workspace, i, t0, t1);
    poll_interrupt();
  }
}

void backward_chunk(const Model::Impl& model, Workspace& workspace, Buffer& grads, int64_t t0,
                    int64_t t1) {
  const Backend& backend = *model.backend;
  for (int64_t i = model.config.num_layers - 1; i >= 0; --i) {
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
    carried = backend.make_buffer(model.config.num_layers * B * model.config.state_dim);
    if (state != nullptr) backend.copy(*state, *carried);
  }
  const Buffer* from = state;
  for (int64_t i = 0; i < chunks.count(); ++i) {
    const int64_t at = chunks.begin(i) * B, steps = chunks.end(i) - chunks.begin(i);
    const uint8_t* targets = window.targets ? window.targets + at : nullptr;
    backend.begin_window(workspace, window.inputs + at, targets, steps, from);
    forward_chunk(model, workspace, 0, steps);
    if (logits != nullptr) backend.read_logits(workspace, 0, steps, logits + at * kVocabSize);
    if (losses != nullptr) {
      backend.head_loss(*model.weights, workspace, 0, steps);
      backend.read_losses(workspace, 0, steps, losses + at);
    }
    if (carried) {
      backend.save_state(workspace, *carried);
      from = carried.get();
    }
  }
  if (state != nullptr) backend.save_state(workspace, *state);
}

double backward_pass(const Model::Impl& model, Workspace& workspace, const Window& window,
                     const Buffer* state, Buffer& grads) {
  const Backend& backend = *model.backend;
  const int64_t B = window.batch_size;
  const Chunks chunks{window.seq_len, backend.chunk_steps(model.config, B)};
  backend.begin_window(workspace, window.inputs, window.targets, window.seq_len, state);
  for (int64_t i = 0; i < chunks.count(); ++i) {
    forward_chunk(model, workspace, chunks.begin(i), chunks.end(i));
    backend.head_loss(*model.weights, workspace, chunks.begin(i), chunks.end(i));
  }
  for (int64_t i = chunks.count() - 1; i >= 0; --i)
    backward_chunk(model, workspace, grads, chunks.begin(i), chunks.end(i));

  std::vector<float> losses(static_cast<size_t>(window.seq_len * B));
  backend.read_losses(workspace, 0, window.seq_len, losses.data());
  double sum = 0;
  for (float loss : losses) sum += double{loss};
  return sum / static_cast<double>(losses.size());
}

}  // namespace slm
