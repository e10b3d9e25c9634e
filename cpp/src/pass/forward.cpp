#include "pass/forward.h"

#include "pass/profile.h"
#include "util/interrupt.h"

namespace slm {

void forward_chunk(const Net& model, Workspace& workspace, int64_t t0, int64_t t1,
                   const std::function<void()>& poll) {
  const Backend& backend = *model.backend;
  ScopedTimer timer("embed_forward");
  backend.embed_forward(*model.weights, workspace, t0, t1);
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    timer.next("layer_forward");
    backend.layer_forward(*model.weights, workspace, i, t0, t1);
    if (model.config.mlp_dim > 0) {
      timer.next("mlp_forward");
      backend.mlp_forward(*model.weights, workspace, i, t0, t1);
    }
    poll();
  }
}

void capture_or_run(const Net& model, Workspace& workspace, const Gradients* grads, GraphKey key,
                    int64_t steps, const std::function<void()>& run) {
  if (is_profiling())
    run();
  else
    model.backend->capture_or_run(workspace, *model.weights, grads, key, steps, run);
}

void forward_pass(const Net& model, Workspace& workspace, const Window& window, Buffer* state,
                  float* logits, float* losses) {
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
    {
      const ScopedTimer timer("begin_window");
      backend.begin_window(workspace, window.part(chunks.begin(i), chunks.end(i)), from, Dropout{});
    }
    poll_interrupt();
    const GraphKey key = logits != nullptr ? GraphKey::forward_and_logits : GraphKey::forward;
    capture_or_run(model, workspace, nullptr, key, steps, [&] {
      forward_chunk(model, workspace, 0, steps, poll_interrupt);
      if (logits == nullptr) return;
      const ScopedTimer timer("head_logits");
      backend.head_logits(*model.weights, workspace, 0, steps);
    });
    if (logits != nullptr) {
      const ScopedTimer timer("read_logits");
      backend.read_logits(workspace, steps * B, logits + at * kVocabSize);
    }
    if (losses != nullptr) {
      ScopedTimer timer("head_loss");
      backend.head_loss(*model.weights, workspace, 0, steps, 1.0f);
      timer.next("read_losses");
      backend.read_losses(workspace, 0, steps, losses + at);
    }
    if (carried) {
      const ScopedTimer timer("save_state");
      backend.save_state(workspace, *carried);
      from = carried.get();
    }
  }
  if (state == nullptr) return;
  const ScopedTimer timer("save_state");
  if (carried)
    backend.copy(*carried, *state);
  else
    backend.save_state(workspace, *state);
}

}  // namespace slm
