#pragma once
// The one seam between model and hardware. Above it nobody knows where data lives or how many
// threads there are; below it nobody knows what a text, a schedule or a file is.
//
// An operation works on one layer and the time range [t0, t1) of a window, returns nothing, and may
// run asynchronously, in order. Numbers come back to the caller only through the read_ calls and
// `sample`, and only these wait.
// GraphKey are const and thread-safe as long as each call has its own Workspace.
//
//   T seq_len   B batch_size   E embed_dim   N state_dim   L num_layers   V = 256
//   O = V in the last layer of a model without a head, E in all others.
//   K = history_size(config).   All arrays are time-major: (T, B, width).
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tensors.h"

namespace slm {

struct SampleOptions;  // slm/generator.h
struct SampleRequest;  // numerics/sampling.h

// The most positions (time steps x batch rows) whose gradients are summed before the sum goes into
// the total. Every device uses this bound, so that all of them add up in the same order. On the CPU
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

// A model's parameters in one flat buffer, in the order of the tensor table, beside whatever copies
// in another layout the backend wants.
class Weights {
 public:
  virtual ~Weights() = default;
  virtual Buffer& flat() = 0;
};

// What a training step adds up: the gradients by every parameter, and by the rows that
// occur of tables that are looked up; and the losses. Zero when made and after `update`.
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

// Which values a training window drops. Position (t, b) has the number first + t * batch_size + b,
// by which its random numbers are drawn; batch_size is that of the whole window where this one is a
// part of it, or 0. What locked_rate drops is the same at all time steps, and `row` + b is the
// number that it is drawn by.
struct Dropout {
  float rate = 0;  // of n-grams and matches, or of the embedding
  uint64_t seed = 0;
  uint64_t first = 0;
  int64_t batch_size = 0;
  float locked_rate = 0;  // of what goes into the layers but the first, and into the head
  uint64_t row = 0;
};

struct AdamWStep {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float table_lr_scale;            // times learning_rate
  float correction1, correction2;  // 1 - beta^k at update k, counted from 1
  float clip_norm;                 // the gradient is scaled down to it; 0: never
  float max_spectral_radius = 0;   // of every A that recurs; 0: any
};

// What has become of a training step.
struct StepResult {
  double loss = 0;       // the sum of what add_losses added
  double grad_norm = 0;  // before clipping

  // The difference is NaN where a value is not.
  constexpr bool finite() const { return loss - loss == 0 && grad_norm - grad_norm == 0; }
  // What the gradient is multiplied by.
  constexpr float grad_scale(float clip_norm) const {
    return clip_norm > 0 && grad_norm > clip_norm ? static_cast<float>(clip_norm / grad_norm)
                                                  : 1.0f;
  }
};

// Where the result of an update arrives; and what an update with a max_spectral_radius works in.
class UpdateResult {
 public:
  virtual ~UpdateResult() = default;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda"

  // --- memory
  // Where count_bytes (util/memory_count.h) calls the make_ functions, what they return has no
  // memory.
  virtual std::unique_ptr<Buffer> make_buffer(int64_t size) const = 0;  // zeros
  virtual void read(const Buffer& from, int64_t offset, int64_t count, float* to) const = 0;
  virtual void write(const float* from, int64_t count, Buffer& to, int64_t offset) const = 0;
  virtual void copy(const Buffer& from, Buffer& to) const = 0;  // of the same size
  // `count` values of one buffer, from `offset` on, to those of another from `to_offset` on.
  virtual void copy_part(const Buffer& from, int64_t offset, int64_t count, Buffer& to,
                         int64_t to_offset) const {
    std::vector<float> values(static_cast<size_t>(count));
    read(from, offset, count, values.data());
    write(values.data(), count, to, to_offset);
  }
  virtual std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const = 0;
  // For at most `positions` time steps times batch rows, until `update` or `clear`.
  virtual std::unique_ptr<Gradients> make_gradients(const Config&, const TensorTable&,
                                                    int64_t positions) const = 0;
  // All of them, num_parameters values in the order of the table.
  virtual void read_gradients(const Gradients&, float* to) const = 0;
  virtual std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const = 0;

  // To be called after flat() was written: the only place that packs weights.
  virtual void params_changed(Weights&) const = 0;

  // --- a window
  // Into how many equal parts of the batch a training window is cut, each with gradients of its
  // own. Depends on the config and the batch size alone, since results depend on it.
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
  // Time steps that one call should cover, so that its arrays stay in cache. Depends on the config
  // and the batch size alone: sums over time are cut at these bounds, whatever the threads.
  virtual int64_t chunk_steps(const Config&, int64_t batch_size) const = 0;
  // Texts that are scored in lockstep as the rows of one batch. Does not change a result.
  virtual int64_t score_rows(const Config&) const { return 64; }
  // Takes in the tokens (T, B), which must stay as they are as long as the window is worked on;
  // targets may be null. The window starts from `state`, which must stay until save_state, or from
  // the start of a text.
  virtual void begin_window(Workspace&, const uint8_t* inputs, const uint8_t* targets,
                            int64_t seq_len, const Buffer* state, const Dropout&) const = 0;
  // From here on, layer_backward goes on where it was: no gradient has come from later windows yet.
  virtual void begin_backward(Workspace&) const = 0;
  // Calls `run`, whose operations depend on nothing but what is in the arguments before it: kind of
  // operations, time steps, the objects. So a backend may record them and from then on repeat them
  // without calling it. They begin no window and read nothing.
  virtual void capture_or_run(Workspace&, const Weights&, const Gradients*, int64_t /*operations*/,
                              int64_t /*steps*/, const std::function<void()>& run) const {
    run();
  }
  // The state after the last time step that was computed. `state` may be what the window started
  // from; then it can be saved this once.
  virtual void save_state(const Workspace&, Buffer& state) const = 0;

  // e = W_E[x] + Σ_n P_n G_n[row_n], of n-grams and matches. Backward adds to the rows that
  // occurred.
  virtual void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const = 0;
  virtual void embed_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                              int64_t t1) const = 0;

  // A layer's norm, cell and residual (docs/model.md); the y of a model without a head is, in the
  // last layer, left to head_logits and head_loss. Forward in rising time order. Backward in
  // falling order: replaces dy of the range by du, adds to the layer's gradients, carries dh.
  virtual void layer_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                             int64_t t1) const = 0;
  virtual void layer_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                              int64_t t1) const = 0;
  // The norm and the SwiGLU after a layer's cell, where mlp_dim is not zero.
  virtual void mlp_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                           int64_t t1) const = 0;
  virtual void mlp_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                            int64_t t1) const = 0;

  // The logits; with head_loss, also softmax and cross-entropy of the targets. In a training
  // workspace they are then replaced by their gradient, (p - onehot) * scale. In a model with a
  // head, head_backward comes next; without, layer_backward looks for them there.
  virtual void head_logits(const Weights&, Workspace&, int64_t t0, int64_t t1) const = 0;
  virtual void head_loss(const Weights&, Workspace&, int64_t t0, int64_t t1, float scale) const = 0;
  virtual void head_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                             int64_t t1) const = 0;
  // The first `count` rows of 256 that the latest head_logits computed.
  virtual void read_logits(const Workspace&, int64_t count, float* out) const = 0;
  // bytes[i], sampled from the logits of row requests[i].row as docs/sampling.md says. There are at
  // most as many requests as the batch has rows. Error(training) for a logit that is not finite.
  virtual void sample(Workspace&, const SampleOptions&, const SampleRequest* requests,
                      int64_t count, uint8_t* bytes) const = 0;
  // -log p of the targets, (t1 - t0, B), of all ranges that head_loss has seen.
  virtual void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const = 0;
  // Adds the same to the losses of the step.
  virtual void add_losses(const Workspace&, int64_t t0, int64_t t1, Gradients&) const = 0;

  // --- optimizer
  // For updates of a model with this table, with a max_spectral_radius or without.
  virtual std::unique_ptr<UpdateResult> make_update_result(const TensorTable&,
                                                           bool max_spectral_radius) const = 0;
  // One pass of AdamW, w ← w(1 − lr·λ) − lr·m̂/(√v̂ + ε), over the dense values. Of tables that are
  // looked up the rows that occurred: v of a row is the mean of its squared gradient, without m and
  // without decay, and its correction counts the row's own updates. `m` and `v` have num_moments
  // values; where `v` holds a row's v, `m` holds its number of updates. Then every A whose spectral
  // radius may be above max_spectral_radius is scaled down (numerics/spectral_radius.h). Where the
  // losses or the gradients' norm are not finite it changes none of these. Zeroes gradients and
  // losses. Does not call params_changed.
  virtual void update(Weights&, Gradients&, Buffer& m, Buffer& v, const TensorTable&,
                      const AdamWStep&, UpdateResult&) const = 0;
  // Waits for the latest update that got this report, and for nothing that was called after it.
  virtual StepResult read_update_result(const UpdateResult&) const = 0;
  // Whether a caller gains by calling the next step's operations before it reads a report.
  virtual bool is_async() const { return false; }
  // Adds the gradients `from`, one after the other, to others, and zeroes them; these may go on
  // reading what `from` has in memory until they are used up or cleared. Of shards: a backend that
  // makes one of every window has nothing to add.
  virtual void add_gradients(const std::vector<std::unique_ptr<Gradients>>& from,
                             Gradients& to) const {
    static_cast<void>(to);
    if (!from.empty()) throw Error(ErrorKind::device, name() + " does not add gradients");
  }
  // Zeroes the gradients of a step that is given up.
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
// Loads cuBLAS, as the first backend does, with or without a device. Throws where it is not there.
void require_cublas();

// device: "auto", "cpu" or "cuda"; precision: "float32", "bf16" or, on CUDA, "tf32", or "auto".
// Throws Error(device) where it cannot be had.
std::shared_ptr<const Backend> make_backend(const std::string& device, int threads,
                                            const std::string& precision);
// What "auto" stands for on the device of this name; any other precision itself.
std::string resolve_precision(const std::string& precision, const std::string& device);

}  // namespace slm
