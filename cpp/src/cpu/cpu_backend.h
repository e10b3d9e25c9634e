#pragma once
// The CPU side of backend.h, one file per operation: embedding.cpp with ngrams.cpp and
// sparse_gradients.cpp, layer_chunk.cpp with norm.cpp, dense_layer.cpp, gated_layer.cpp, mlp.cpp,
// head.cpp, optimizer.cpp with spectral_radius.cpp; buffers and windows in cpu_backend.cpp.
#include <algorithm>

#include "cpu/blocks.h"
#include "cpu/gradients.h"
#include "cpu/isa.h"
#include "cpu/layer_chunk.h"
#include "cpu/memory.h"
#include "cpu/weight_gradients.h"
#include "util/thread_pool.h"

namespace slm {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads, const Kernels& kernels = active_kernels());

  std::string name() const override { return "cpu"; }

  std::unique_ptr<Buffer> make_buffer(int64_t size) const override;
  void read(const Buffer& from, int64_t offset, int64_t count, float* to) const override;
  void write(const float* from, int64_t count, Buffer& to, int64_t offset) const override;
  void copy(const Buffer& from, Buffer& to) const override;
  void copy_part(const Buffer& from, int64_t offset, int64_t count, Buffer& to,
                 int64_t to_offset) const override;
  std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const override;
  std::unique_ptr<Gradients> make_gradients(const Config&, const TensorTable&,
                                            int64_t positions) const override;
  void read_gradients(const Gradients&, float* to) const override;
  std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const override;
  void params_changed(Weights&) const override;

  int64_t num_shards(const Config&, int64_t batch_size) const override;
  int64_t num_workers() const override { return pool_.size(); }
  void run_parallel(int64_t tasks, const std::function<void(int64_t, int64_t)>& task,
                    const std::function<void()>& idle) const override;
  int64_t chunk_steps(const Config&, int64_t batch_size) const override;
  // The more rows, the shorter is a window, and for each window the matches make an index of the
  // bytes before it.
  int64_t score_rows(const Config& config) const override {
    return config.match_lengths.empty() ? 64 : 4;
  }
  void begin_window(Workspace&, const Window&, const Buffer* state, const Dropout&) const override;
  void begin_backward(Workspace&) const override;
  void save_state(const Workspace&, Buffer& state) const override;

  void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void embed_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                      int64_t t1) const override;
  void layer_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                     int64_t t1) const override;
  void layer_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                      int64_t t1) const override;
  void mlp_forward(const Weights&, Workspace&, int64_t layer, int64_t t0,
                   int64_t t1) const override;
  void mlp_backward(const Weights&, Workspace&, Gradients&, int64_t layer, int64_t t0,
                    int64_t t1) const override;
  void head_logits(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void head_loss(const Weights&, Workspace&, int64_t t0, int64_t t1, float scale) const override;
  void head_backward(const Weights&, Workspace&, Gradients&, int64_t t0, int64_t t1) const override;
  void read_logits(const Workspace&, int64_t count, float* out) const override;
  void sample(Workspace&, const SampleOptions&, const SampleRequest* requests, int64_t count,
              uint8_t* bytes) const override;
  void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const override;
  void add_losses(const Workspace&, int64_t t0, int64_t t1, Gradients&) const override;

  std::unique_ptr<UpdateResult> make_update_result(const TensorTable&,
                                                   bool max_spectral_radius) const override;
  void update(Weights&, Gradients&, Buffer& m, Buffer& v, const TensorTable&, const AdamWStep&,
              UpdateResult&) const override;
  StepResult read_update_result(const UpdateResult&) const override;
  void add_gradients(const std::vector<std::unique_ptr<Gradients>>& from,
                     Gradients& to) const override;
  void clear(Gradients&) const override;

 private:
  void make_masks(CpuWorkspace&) const;
  void find_ngrams(CpuWorkspace&, int64_t seq_len) const;

  void gather(const CpuWeights&, const NgramWeights&, const int32_t* rows, const Block&,
              const Array& x) const;
  void gather_add(const CpuWeights&, const NgramWeights&, const int32_t* rows, const Block&,
                  const Array& y) const;
  void add_ngrams(const CpuWeights&, CpuWorkspace&, int64_t t0, const Block&) const;
  void drop(const CpuWorkspace&, int64_t t, int64_t b, const float* x, float* y) const;
  void add_to_rows(CpuGradients&, CpuWorkspace&, size_t first, size_t orders, int64_t t0,
                   int64_t positions, const float* dx, int64_t width, bool stays) const;
  void ngrams_backward(const CpuWeights&, CpuWorkspace&, CpuGradients&, const float* de, int64_t t0,
                       int64_t t1) const;

  void dense_forward(const CpuLayerChunk&) const;
  void dense_backward(const CpuLayerChunk&, float* grads) const;
  void gated_forward(CpuWorkspace&, const CpuLayerChunk&) const;
  void gated_backward(CpuWorkspace&, const CpuLayerChunk&, float* grads) const;

  template <class Finish>
  void head(const Weights&, CpuWorkspace&, int64_t t0, int64_t t1, const Finish& finish) const;
  void add_weight_gradients(const WeightGrads& weights, int64_t positions, double flops,
                            float* grads) const;
  double sum_squares(const float* values, int64_t size) const;
  double sum_row_squares(const CpuGradients&) const;
  double grad_norm(const CpuGradients&) const;
  void merge_rows(SparseGradient& from, SparseGradient& to) const;
  void update_dense(CpuWeights&, CpuGradients&, Buffer& m, Buffer& v, const TensorTable&,
                    const AdamWStep&, float grad_scale) const;
  void update_rows(CpuWeights&, SparseGradient&, Buffer& m, Buffer& v, const AdamWStep&,
                   float grad_scale) const;
  void bound_spectral_radius(CpuWeights&, CpuUpdateResult&, float max_spectral_radius) const;
  void norms_of_powers(const float* a, int64_t n, float* powers, double* norms) const;

  // Threads that work of this size keeps busy.
  int64_t threads_worth(double flops) const { return flops < 2e5 ? 1 : pool_.free_threads(); }

  // f(begin, end) over [0, n), cut into one task per thread.
  template <class F>
  void parallel_for(int64_t n, double flops, const F& f) const {
    const int64_t tasks = std::min(n, threads_worth(flops));
    pool_.run(tasks, [&](int64_t i) { f(n * i / tasks, n * (i + 1) / tasks); });
  }

  // The sum of f(range, ranges) over ranges whose number does not depend on the threads, so that
  // neither does the order of the sum.
  template <class F>
  double sum_ranges(int64_t size, const F& f) const {
    constexpr int64_t kRanges = 64;
    double sums[kRanges], total = 0;
    parallel_for(kRanges, 2.0 * static_cast<double>(size), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sums[i] = f(i, kRanges);
    });
    for (double sum : sums) total += sum;
    return total;
  }

  template <class F>
  void parallel_for_positions(int64_t steps, int64_t batch, double flops, const F& f) const {
    slm::parallel_for_positions([&](int64_t n, const auto& g) { parallel_for(n, flops, g); },
                                threads_worth(flops), steps, batch, f);
  }

  // The steps of a cell over a chunk, in blocks of `block_steps` (blocks.h).
  template <class Before, class Scan, class After>
  void run_layer(const CpuLayerChunk& chunk, double flops, int64_t block_steps, TimeOrder order,
                 const Before& before, const Scan& scan, const After& after) const {
    slm::run_layer([&](int64_t n, const auto& f) { parallel_for(n, flops, f); },
                   threads_worth(flops), chunk.steps, chunk.B, block_steps, order, before, scan,
                   after);
  }

  // y = x W over the rows of a block, or y += x W.
  void matmul(const Block& at, const Array& x, PackedMatrix w, const Array& y,
              bool accumulate) const {
    kernels_.matmul(at.grid(x.batch), x.rows(at), w, y.rows(at), accumulate);
  }

  const Kernels& kernels_;
  mutable ThreadPool pool_;
};

}  // namespace slm
