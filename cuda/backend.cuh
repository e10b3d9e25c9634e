#pragma once
// The CUDA side of backend.h, one file per operation, named as on the CPU: embedding.cu with
// ngrams.cu and sparse_gradients.cu, layer_chunk.cu with norm.cu, dense_layer.cu with scan.cu,
// gated_layer.cu, mlp.cu, head.cu, optimizer.cu with spectral_radius.cu; buffers and windows in
// backend.cu. Everything runs in order on one stream, and only the calls that return numbers wait
// for it.
#include <mutex>

#include "gemm.cuh"
#include "staging.cuh"
#include "update_result.cuh"
#include "workspace.cuh"

namespace slm {

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(Precision precision = Precision::float32) : gemm_(stream_, precision) {}
  std::string name() const override { return "cuda"; }

  std::unique_ptr<Buffer> make_buffer(int64_t size) const override;
  void read(const Buffer& from, int64_t offset, int64_t count, float* to) const override;
  void write(const float* from, int64_t count, Buffer& to, int64_t offset) const override;
  void copy(const Buffer& from, Buffer& to) const override;
  std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const override;
  std::unique_ptr<Gradients> make_gradients(const Config&, const TensorTable&,
                                            int64_t positions) const override;
  void read_gradients(const Gradients&, float* to) const override;
  std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const override;
  void params_changed(Weights&) const override {}  // kernels read flat() as it is

  int64_t chunk_steps(const Config&, int64_t batch_size) const override;
  void begin_window(Workspace&, const Window&, const Buffer* state, const Dropout&) const override;
  void begin_backward(Workspace&) const override;
  void save_state(const Workspace&, Buffer& state) const override;
  void capture_or_run(Workspace&, const Weights&, const Gradients*, GraphKey operations,
                      int64_t steps, const std::function<void()>& run) const override;

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
  void sample(Workspace&, const SampleOptions&, const SampleRequest* where, int64_t count,
              uint8_t* bytes) const override;
  void read_losses(const Workspace&, int64_t t0, int64_t t1, float* out) const override;
  void add_losses(const Workspace&, int64_t t0, int64_t t1, Gradients&) const override;

  std::unique_ptr<UpdateResult> make_update_result(const TensorTable&,
                                                   bool max_spectral_radius) const override;
  void update(Weights&, Gradients&, Buffer& m, Buffer& v, const TensorTable&, const AdamWStep&,
              UpdateResult&) const override;
  StepResult read_update_result(const UpdateResult&) const override;
  bool is_async() const override { return true; }
  void clear(Gradients&) const override;

 private:
  static constexpr unsigned kNormBlocks =
      512;  // at most, of each of the two sums of the gradient norm

  void copy_bytes(const void* from, size_t bytes, void* to, cudaMemcpyKind kind) const;
  void clear_bytes(void* to, size_t bytes) const;
  void copy_floats(const float* from, int64_t count, float* to) const;
  void find_ngrams(CudaWorkspace&, int64_t seq_len) const;
  void save_history(const CudaWorkspace&, Buffer& state) const;
  void add_ngrams(const CudaWeights&, CudaWorkspace&, const Drop&, int64_t first,
                  int64_t positions) const;
  void ngrams_backward(const CudaWeights&, CudaWorkspace&, CudaGradients&, const float* de,
                       int64_t first, int64_t positions) const;
  const Occurrence* sort_rows(CudaWorkspace&, const int32_t* rows, int64_t count) const;

  // v = norm(x) for rows of E values, times `mask` (B, E) if it is not null; and copy = x if `copy`
  // is not null.
  void norm_forward(const CudaWorkspace&, const float* weight, const float* mask, const float* x,
                    int64_t rows, float* v, float* copy = nullptr) const;
  // dx = the gradient of x, plus `residual` if it is not null (it may be dx). Adds to dw, the
  // gradient of the norm's weight.
  void norm_backward(CudaWorkspace&, const float* weight, const float* mask, const float* x,
                     const float* dv, const float* residual, int64_t rows, float* dx,
                     float* dw) const;
  // out += the column sums of x (rows, width), in an order that depends on the sizes alone.
  void add_columns(const float* x, int64_t rows, int64_t width, float* out) const;

  // The cells. layer_forward and layer_backward compute the norm before them; where there is a
  // residual, y already holds u, and where dx_begun, dx already holds dy, and the cell adds to it.
  void dense_forward(CudaWorkspace&, const CudaLayerChunk&) const;
  void dense_backward(CudaWorkspace&, CudaGradients&, const CudaLayerChunk&,
                      const CudaChunkGradients&) const;
  void gated_forward(CudaWorkspace&, const CudaLayerChunk&) const;
  void gated_backward(CudaWorkspace&, CudaGradients&, const CudaLayerChunk&,
                      const CudaChunkGradients&) const;

  // s = swish(h).
  void swish(const float* h, int64_t size, float* s) const;

  void compute_clip_scale(CudaGradients&, float clip_norm, CudaUpdateResult&) const;
  // Writes the sums of squares of ranges of x to `sums`, and returns their number.
  unsigned sum_squares(const float* x, int64_t n, unsigned most, double* sums) const;
  void bound_spectral_radius(float* weights, const TensorTable&, float max_spectral_radius,
                             CudaUpdateResult&) const;

  const Stream stream_;
  const Staging staging_{stream_};
  const Gemm gemm_;
  mutable std::mutex norm_mutex_;  // for norm_sums_
  mutable DeviceArray<double> norm_sums_{stream_, 2 * kNormBlocks};
};

}  // namespace slm
