#pragma once
// The seam: the interface between the model and a device. Code above it does not know where data
// lives or how many threads there are; code below it does not know what a text, a schedule or a
// file is.
//
// An operation covers one layer and the time range [t0, t1) of a window, returns nothing, and may
// run asynchronously, in order. Only the read_ calls and `sample` return values, and only they
// wait. Operations are const and thread-safe as long as each call has its own Workspace.
//
//   T seq_len   B batch_size   E embed_dim   N state_dim   L num_layers   V = 256
//   O = V in the last layer of a model without a head, E in all others.
//   K = history_size(config).   All arrays are time-major: (T, B, width).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensors.h"
#include "text/window.h"

namespace slm {

struct SampleOptions;  // slm/generator.h
struct SampleRequest;  // numerics/sampling.h

// The most positions (time steps x batch rows) whose gradients are summed before their sum is added
// to the total. Every device uses this bound, so that all of them sum in the same order. On the CPU
// it is also the size of a chunk, whose arrays stay in the L2 cache from operation to operation.
constexpr int64_t kChunkPositions = 512;

// float32 memory of a backend.
class Buffer {
 public:
  explicit Buffer(int64_t size) : size_(size) {}
  virtual ~Buffer() = default;
  int64_t size() const { return size_; }

 private:
  int64_t size_;
};

// A model's parameters in one flat buffer, in the order of the tensor table, and any packed copies
// that the backend needs.
class Weights {
 public:
  virtual ~Weights() = default;
  virtual Buffer& flat() = 0;
};

// Accumulates one step's gradients (of dense tensors, and of touched rows of sparse tables) and the
// summed loss. Zero when made and after `update`.
class Gradients {
 public:
  virtual ~Gradients() = default;
};

// All memory that one window in flight needs, planned once; operations allocate nothing.
class Workspace {
 public:
  virtual ~Workspace() = default;
};

struct WorkspaceShape {
  int64_t seq_len = 0;     // largest T
  int64_t batch_size = 0;  // exactly B
  bool training = false;   // keep what the backward pass needs
};

// Floats of the state of `batch_size` texts: every layer's h, (L, B, N), and then the latest bytes
// of each text, (B, K), the last one last: a byte plus one, or 0 before the start of the text.
inline int64_t hidden_size(const Config& config, int64_t batch_size) {
  return config.num_layers * batch_size * config.state_dim;
}
inline int64_t state_size(const Config& config, int64_t batch_size) {
  return hidden_size(config, batch_size) + batch_size * history_size(config);
}

// Dropout settings of one window, and the counters of its random numbers: first + t * batch_size +
// b for position (t, b), where batch_size is that of the whole window if this one is a shard, or 0;
// and row + b for the locked dropout masks, which are the same at all time steps.
struct Dropout {
  float rate = 0;  // of n-grams and matches, or without these of the embedding
  uint64_t seed = 0;
  uint64_t first = 0;
  int64_t batch_size = 0;
  float locked_rate = 0;  // of the inputs of the head and of all layers but the first
  uint64_t row = 0;
};

struct AdamWStep {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float table_lr_scale;            // learning rate of the sparse tables / learning_rate
  float correction1, correction2;  // 1 - beta^k at update k, counted from 1
  float clip_norm;                 // largest norm of the gradient; 0: no clipping
  float max_spectral_radius = 0;   // bound on A of every dense cell; 0: none
};

// Kinds of operations that a backend may capture (Backend::capture_or_run).
enum class GraphKey { forward, forward_and_logits, backward };

// Outcome of a training step: loss and gradient norm.
struct StepResult {
  double loss = 0;       // the sum of all losses since the last update
  double grad_norm = 0;  // before clipping

  // x - x is NaN if x is not finite.
  constexpr bool finite() const { return loss - loss == 0 && grad_norm - grad_norm == 0; }
  // The factor that clips the gradient.
  constexpr float grad_scale(float clip_norm) const {
    return clip_norm > 0 && grad_norm > clip_norm ? static_cast<float>(clip_norm / grad_norm)
                                                  : 1.0f;
  }
};

// Handle for the asynchronous result of an update, and scratch memory for the spectral-radius
// bound.
class UpdateResult {
 public:
  virtual ~UpdateResult() = default;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda"

  // --- memory
  // Objects made within count_bytes (util/memory_count.h) have no memory.
  virtual std::unique_ptr<Buffer> make_buffer(int64_t size) const = 0;  // zeros
  virtual void read(const Buffer& from, int64_t offset, int64_t count, float* to) const = 0;
  virtual void write(const float* from, int64_t count, Buffer& to, int64_t offset) const = 0;
  virtual void copy(const Buffer& from, Buffer& to) const = 0;  // of the same size
  // Copies `count` values from `offset` on to another buffer, from `to_offset` on.
  virtual void copy_part(const Buffer& from, int64_t offset, int64_t count, Buffer& to,
                         int64_t to_offset) const {
    std::vector<float> values(static_cast<size_t>(count));
    read(from, offset, count, values.data());
    write(values.data(), count, to, to_offset);
  }
  virtual std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const = 0;
  // For windows of at most `positions` time steps times batch rows between updates.
  virtual std::unique_ptr<Gradients> make_gradients(const Config&, const TensorTable&,
                                                    int64_t positions) const = 0;
  // All gradients, num_parameters values in the order of the table.
  virtual void read_gradients(const Gradients&, float* to) const = 0;
  virtual std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const = 0;

  // To be called after flat() was written. The only function that packs weights.
  virtual void params_changed(Weights&) const = 0;

  // --- a window
  // The number of shards of a training window: equal numbers of rows, each with its own gradients.
  // Depends on the config and the batch size alone, since results depend on it.
  virtual int64_t num_shards(const Config&, int64_t) const { return 1; }
  // The most tasks that run at once.
  virtual int64_t num_workers() const { return 1; }
  // Calls task(index, worker) for every index in [0, tasks), perhaps on several threads; operations
  // called in there run on the thread of their task. Tasks with the same `worker`, which is below
  // min(tasks, num_workers()), do not overlap. A caller that waits for other threads calls `idle`
  // meanwhile. Neither may throw.
  virtual void run_parallel(int64_t tasks, const std::function<void(int64_t, int64_t)>& task,
                            const std::function<void()>& /*idle*/) const {
    for (int64_t i = 0; i < tasks; ++i) task(i, 0);
  }
  // Time steps of a chunk, which one call covers, so that its arrays stay in cache. Depends on the
  // config and the batch size alone: sums over time are cut at these bounds, whatever the threads.
  virtual int64_t chunk_steps(const Config&, int64_t batch_size) const = 0;
  // Scoring segments that make one batch. Does not change results.
  virtual int64_t score_rows(const Config&) const { return 64; }
  // Sets the window, whose arrays must not change until the last operation on it. It starts from
  // `state`, which must stay until save_state, or from the start of a text. At each of its `starts`
  // a text of its own begins: it has no part of the state or of the bytes before, nor have they
  // any part of its gradient, and save_state leaves 0 for the bytes before it.
  virtual void begin_window(Workspace&, const Window&, const Buffer* state,
                            const Dropout&) const = 0;
  // Starts a backward pass: zeroes the state gradient carried from later time steps.
  virtual void begin_backward(Workspace&) const = 0;
  // Calls `run`, whose operations depend on the preceding arguments alone: the kind of operations
  // (a GraphKey), the time steps, the objects. So a backend may capture them as a graph and from
  // then on launch that instead. They must not include begin_window or a read_ call.
  virtual void capture_or_run(Workspace&, const Weights&, const Gradients*, GraphKey /*operations*/,
                              int64_t /*steps*/, const std::function<void()>& run) const {
    run();
  }
  // Writes the state after the last time step that was computed. `state` may be the one that the
  // window started from, but then save_state can be called only once.
  virtual void save_state(const Workspace&, Buffer& state) const = 0;

  // e = W_E[x] + Σ_n P_n G_n[row_n] over n-grams and matches. Backward adds to the touched rows.
  virtual void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const = 0;
  virtual void embed_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                              int64_t t1) const = 0;

  // A layer's norm, cell and residual (docs/model.md). The output of the last layer of a model
  // without a head is left to head_logits and head_loss. Forward in rising time order. Backward in
  // falling time order: replaces dy by du, adds to the layer's gradients, and carries dh along.
  virtual void layer_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                             int64_t t1) const = 0;
  virtual void layer_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                              int64_t t1) const = 0;
  // The norm and the SwiGLU after a layer's cell, where mlp_dim is not zero.
  virtual void mlp_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                           int64_t t1) const = 0;
  virtual void mlp_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                            int64_t t1) const = 0;

  // head_logits computes the logits; head_loss also softmax and cross-entropy of the targets and,
  // in a training workspace, replaces the logits by their gradient, (p - onehot) * scale. In a
  // model with a head, head_backward comes next; in one without, layer_backward of the last layer.
  virtual void head_logits(const Weights&, Workspace&, int64_t t0, int64_t t1) const = 0;
  virtual void head_loss(const Weights&, Workspace&, int64_t t0, int64_t t1, float scale) const = 0;
  virtual void head_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                             int64_t t1) const = 0;
  // The first `count` rows of 256 logits of the latest head_logits.
  virtual void read_logits(const Workspace&, int64_t count, float* out) const = 0;
  // Samples bytes[i] from the logits of row requests[i].row (docs/sampling.md), at most one per row
  // of the batch. Error(training) for a logit that is not finite.
  virtual void sample(Workspace&, const SampleOptions&, const SampleRequest* requests,
                      int64_t count, uint8_t* bytes) const = 0;
  // -log p of the targets, (t1 - t0, B), from head_loss.
  virtual void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const = 0;
  // Adds these losses to the summed loss of the step.
  virtual void add_losses(const Workspace&, int64_t t0, int64_t t1, Gradients&) const = 0;

  // --- optimizer
  // For updates with a max_spectral_radius or without.
  virtual std::unique_ptr<UpdateResult> make_update_result(const TensorTable&,
                                                           bool max_spectral_radius) const = 0;
  // AdamW, w ← w(1 − lr·λ) − lr·m̂/(√v̂ + ε), on the dense values, and row-wise RMSprop on the
  // touched rows of the sparse tables: one second moment v per row, of the mean of its squared
  // gradient, no momentum, no decay, bias-corrected by the number of the row's own updates. `m` and
  // `v` have num_moments values; for a row, `v` holds v and `m` the number of updates. Then every A
  // whose spectral radius may be above max_spectral_radius is scaled down
  // (numerics/spectral_radius.h). If the loss or the gradient norm is not finite, none of these
  // change. Zeroes gradients and losses. Does not call params_changed.
  virtual void update(Weights&, Gradients&, Buffer& m, Buffer& v, const TensorTable&,
                      const AdamWStep&, UpdateResult&) const = 0;
  // Waits for the latest update with this UpdateResult, and for no operation after it.
  virtual StepResult read_update_result(const UpdateResult&) const = 0;
  // Whether operations are asynchronous, so that callers should call those of the next step before
  // they read the result of an update.
  virtual bool is_async() const { return false; }
  // Adds the gradients of shards to `to`, one after the other, and zeroes them; `to` may refer to
  // memory of `from` until it is used up or cleared. Not called by a backend with one shard.
  virtual void add_gradients(const std::vector<std::unique_ptr<Gradients>>& from,
                             Gradients& to) const {
    static_cast<void>(to);
    if (!from.empty()) throw Error(ErrorKind::device, name() + " does not add gradients");
  }
  // Zeroes the gradients of a step that is abandoned.
  virtual void clear(Gradients&) const = 0;
};

constexpr int kMaxThreads = 1024;

// Whether device "cuda" can be used, and its name or the reason why not.
struct CudaDevice {
  bool usable;
  std::string text;
};

// Defined by cuda/ or, in a build without it, by no_cuda.cpp.
CudaDevice find_cuda_device();
std::shared_ptr<const Backend> make_cuda_backend(const std::string& precision);
// Loads cuBLAS, as the first CUDA backend does, with or without a device. Throws if it is missing.
void require_cublas();

// device: "auto", "cpu" or "cuda"; precision: "float32", "bf16" or, on CUDA, "tf32", or "auto".
// Throws Error(device) if it is not available.
std::shared_ptr<const Backend> make_backend(const std::string& device, int threads,
                                            const std::string& precision);
// Replaces "auto" by the precision it stands for on the device of this name.
std::string resolve_precision(const std::string& precision, const std::string& device);

}  // namespace slm
