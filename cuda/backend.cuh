#pragma once
// The CUDA side of backend.h, one file per operation, named as on the CPU: embedding.cu with
// ngrams.cu, optimizer.cu; memory and windows in backend.cu. Everything runs in order on one
// stream, and only the calls that return numbers wait for it.
//
// Layers and head are not written yet. Until they are, the class is abstract and no_cuda.cpp
// answers for the device.
#include <mutex>

#include "dropout.cuh"
#include "memory.cuh"

namespace slm {

// Positions whose gradients are added up before the sum goes into the total: kChunkPositions on the
// CPU.
constexpr int kTile = 512;

class CudaBackend : public Backend {
 public:
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

  void begin_window(Workspace&, const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                    const Buffer* state, const Dropout&) const override;
  void save_state(const Workspace&, Buffer& state) const override;

  void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void embed_backward(const Weights&, Workspace&, Gradients&, int64_t t0,
                      int64_t t1) const override;

  double grad_norm(const Gradients&) const override;
  void update(Weights&, Gradients&, Buffer& m, Buffer& v, const TensorTable&,
              const AdamWStep&) const override;
  void clear(Gradients&) const override;

 private:
  static constexpr unsigned kNormBlocks = 512;  // that grad_norm runs at most, twice

  void copy_bytes(const void* from, size_t bytes, void* to, cudaMemcpyKind kind) const;
  void clear_bytes(void* to, size_t bytes) const;
  void find_ngrams(CudaWorkspace&, int64_t seq_len) const;
  void save_history(const CudaWorkspace&, Buffer& state) const;
  void add_ngrams(const CudaWeights&, CudaWorkspace&, const Drop&, int64_t first,
                  int64_t positions) const;
  void ngrams_backward(const CudaWeights&, CudaWorkspace&, CudaGradients&, const float* de,
                       int64_t first, int64_t positions) const;
  const Occurrence* sort_rows(CudaWorkspace&, const int32_t* rows, int64_t count) const;

  const Stream stream_;
  mutable std::mutex norm_mutex_;  // for norm_sums_
  mutable DeviceArray<double> norm_sums_{stream_, 2 * kNormBlocks};
};

}  // namespace slm
