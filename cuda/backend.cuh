#pragma once
// The CUDA side of backend.h, one file per operation, named as on the CPU: embedding.cu,
// optimizer.cu; memory and windows in backend.cu. Everything runs in order on one stream, and only
// the calls that return numbers wait for it.
//
// Layers and head are not written yet. Until they are, the class is abstract and no_cuda.cpp
// answers for the device.
#include <mutex>

#include "memory.cuh"

namespace slm {

class CudaBackend : public Backend {
 public:
  std::string name() const override { return "cuda"; }

  std::unique_ptr<Buffer> make_buffer(int64_t size) const override;
  void read(const Buffer& from, int64_t offset, int64_t count, float* to) const override;
  void write(const float* from, int64_t count, Buffer& to, int64_t offset) const override;
  void copy(const Buffer& from, Buffer& to) const override;
  std::unique_ptr<Weights> make_weights(const Config&, const TensorTable&) const override;
  std::unique_ptr<Workspace> make_workspace(const Config&, const WorkspaceShape&) const override;

  void params_changed(Weights&) const override {}  // kernels read flat() as it is

  void begin_window(Workspace&, const uint8_t* inputs, const uint8_t* targets, int64_t seq_len,
                    const Buffer* state) const override;
  void save_state(const Workspace&, Buffer& state) const override;

  void embed_forward(const Weights&, Workspace&, int64_t t0, int64_t t1) const override;
  void embed_backward(const Weights&, Workspace&, Buffer& grads, int64_t t0,
                      int64_t t1) const override;

  double grad_norm(const Buffer& grads) const override;
  void adamw(Weights&, Buffer& grads, Buffer& m, Buffer& v, const TensorTable&,
             const AdamWStep&) const override;

 private:
  static constexpr unsigned kNormBlocks = 512;  // that grad_norm runs at most

  void copy_bytes(const void* from, size_t bytes, void* to, cudaMemcpyKind kind) const;

  const Stream stream_;
  mutable std::mutex norm_mutex_;  // for norm_sums_
  mutable DeviceArray<double> norm_sums_{stream_, kNormBlocks};
};

}  // namespace slm
