#pragma once
// The one seam between model and hardware. Above it nobody knows where data lives or how many
// threads there are; below it nobody knows what a text, a schedule or a file is.
//
// An operation works on one layer and the time range [t0, t1) of a window, returns nothing, and may
// run asynchronously, in order. Numbers come back to the caller only through the read_ calls.
// Operations are const and thread-safe as long as each call has its own Workspace.
//
//   T seq_len   B batch_size   E embed_dim   N state_dim   L num_layers   V = 256
//   O = V in the last layer, E in the others.   All arrays are time-major: (T, B, width).
#include <memory>
#include <string>

#include "tensors.h"

namespace slm {

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

// Floats of the state (L, B, N) of `batch_size` texts.
inline int64_t state_size(const Config& config, int64_t batch_size) {
  return config.num_layers * batch_size * config.state_dim;
}

struct AdamWStep {
  float learning_rate, beta1, beta2, epsilon, weight_decay;
  float correction1, correction2;  // 1 - beta^k at update k, counted from 1
  float grad_scale;                // from clipping
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda"

  // --- memory
  virtual std::unique_ptr<Buffer> make_buffer(int64_t size) const = 0;  // zeros
  virtual void read(const Buffer& from, int64_t offset, int64_t count, float* to) const = 0;
  virtual void write(const float* from, int64_t count, Buffer& to, int64_t offset) const = 0;
  virtual void copy(const Buffer& from, Buffer& to) const = 0;  // of the same size
  virtual std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const = 0;
  virtual std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const = 0;
  // What make_weights and make_workspace take, in bytes.
  virtual int64_t weights_bytes(const Config&, const TensorTable&) const = 0;
  virtual int64_t workspace_bytes(const Config&, const WorkspaceShape&) const = 0;

  // To be called after flat() was written: the only place that packs weights.
  virtual void params_changed(Weights&) const = 0;

  // --- a window
  // Time steps that one call should cover, so that its arrays stay in cache. Depends on the config
  // and the batch size alone: sums over time are cut at these bounds, whatever the threads.
  virtual int64_t chunk_steps(const Config&, int64_t batch_size) const = 0;
  // Takes in the tokens (T, B), which must stay where they are; targets may be null. h_{-1} is
  // `state` (L, B, N), or zero.
  virtual void begin_window(Workspace&, const uint8_t* inputs, const uint8_t* targets,
                            int64_t seq_len, const Buffer* state) const = 0;
  // From here on, layer_backward goes on where it was: no gradient has come from later windows yet.
  virtual void begin_backward(Workspace&) const = 0;
  // The state after the last time step that was computed, into `state` (L, B, N).
  virtual void save_state(const Workspace&, Buffer& state) const = 0;

  // e = W_E[x]. Backward adds to the rows that occurred.
  virtual void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const = 0;
  virtual void embed_backward(const Weights&, Workspace&, Buffer& grads, int64_t t0,
                              int64_t t1) const = 0;

  // h_t = A h_{t-1} + B u_t, y_t = C swish(h_t) + D u_t; the last layer's y is left to the head.
  // Forward in rising time order. Backward in falling order: replaces dy of the range by du, adds
  // to the layer's gradients, carries dh.
  virtual void layer_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                             int64_t t1) const = 0;
  virtual void layer_backward(const Weights&, Workspace&, Buffer& grads, int64_t layer, int64_t t0,
                              int64_t t1) const = 0;

  // The last layer's output; with head_loss, also softmax and cross-entropy of the targets. In a
  // training workspace the output is then replaced by its gradient, (p - onehot) * scale, which is
  // where layer_backward of the same range looks for it.
  virtual void head_logits(const Weights&, Workspace&, int64_t t0, int64_t t1) const = 0;
  virtual void head_loss(const Weights&, Workspace&, int64_t t0, int64_t t1, float scale) const = 0;
  // The first `count` rows of 256 that the latest head_logits computed.
  virtual void read_logits(const Workspace&, int64_t count, float* out) const = 0;
  // -log p of the targets, (t1 - t0, B), of all ranges that head_loss has seen.
  virtual void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const = 0;

  // --- optimiser
  virtual double grad_norm(const Buffer& grads) const = 0;
  // One pass: w ← w(1 − lr·λ) − lr·m̂/(√v̂ + ε); zeroes grads. Does not call params_changed.
  virtual void adamw(Weights&, Buffer& grads, Buffer& m, Buffer& v, const TensorTable&,
                     const AdamWStep&) const = 0;
};

constexpr int kMaxThreads = 1024;

// Defined by cuda/ or, in a build without it, by no_cuda.cpp.
bool has_cuda_device();
std::shared_ptr<const Backend> make_cuda_backend();

// device: "auto", "cpu" or "cuda"; precision: "float32" or "bf16". Throws Error(device) where it
// cannot be had.
std::shared_ptr<const Backend> make_backend(const std::string& device, int threads,
                                            const std::string& precision);

}  // namespace slm
