#pragma once
// The CPU side of backend.h, one file per operation: embedding.cpp, dense_layer.cpp, head.cpp,
// optimizer.cpp; memory and windows in cpu_backend.cpp.
#include <algorithm>
#include <initializer_list>

#include "cpu/isa.h"
#include "cpu/memory.h"
#include "util/thread_pool.h"

namespace slm {

// Positions (time steps x batch rows) of a chunk: its arrays stay in L2 between the operations.
// Also the most terms that a gradient adds up in a row before the sum goes into the total.
constexpr int64_t kChunkPositions = 512;

struct WeightGrad;  // dense_layer.cpp

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads, const Kernels& kernels = active_kernels());

  std::string name() const override { return "cpu"; }

  std::unique_ptr<Buffer> make_buffer(int64_t size) const override;
  void read(const Buffer& from, int64_t offset, int64_t count, float* to) const override;
  void write(const float* from, int64_t count, Buffer& to, int64_t offset) const override;
  void copy(const Buffer& from, Buffer& to) const override;
  std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const override;
  std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const override;
  int64_t weights_bytes(const Config&, const TensorTable&) const override;
  int64_t workspace_bytes(const Config&, const WorkspaceShape&) const override;
  void params_changed(Weights&) const override;

  int64_t chunk_steps(const Config&, int64_t batch_size) const override;
  void begin_window(Workspace&, const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                    const Buffer* state) const override;
  void begin_backward(Workspace&) const override;
  void save_state(const Workspace&, Buffer& state) const override;

  void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void embed_backward(const Weights&, Workspace&, Buffer& grads, int64_t t0,
                      int64_t t1) const override;
  void layer_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                     int64_t t1) const override;
  void layer_backward(const Weights&, Workspace&, Buffer& grads, int64_t layer, int64_t t0,
                      int64_t t1) const override;
  void head_logits(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void head_loss(const Weights&, Workspace&, int64_t t0, int64_t t1, float scale) const override;
  void read_logits(const Workspace&, int64_t count, float* out) const override;
  void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const override;

  double grad_norm(const Buffer& grads) const override;
  void adamw(Weights&, Buffer& grads, Buffer& m, Buffer& v, const TensorTable&,
             const AdamWStep&) const override;

 private:
  WorkspacePlan plan(const Config&, const WorkspaceShape&) const;
  template <class Finish>
  void head(const Weights&, CpuWorkspace&, int64_t t0, int64_t t1, const Finish& finish) const;
  void add_weight_gradients(std::initializer_list<WeightGrad> weights, int64_t positions,
                            double flops, float* grads) const;

  // Threads that work of this size keeps busy.
  int64_t threads_worth(double flops) const { return flops < 2e5 ? 1 : pool_.size(); }

  // f(begin, end) over [0, n), cut into one piece per thread.
  template <class F>
  void split(int64_t n, double flops, const F& f) const {
    const int64_t pieces = std::min(n, threads_worth(flops));
    pool_.run(pieces, [&](int64_t i) { f(n * i / pieces, n * (i + 1) / pieces); });
  }

  const Kernels& kernels_;
  mutable ThreadPool pool_;
};

}  // namespace slm
