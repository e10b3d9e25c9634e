#pragma once
// Device-side result of an update and its asynchronous copy to pinned host memory.
#include "memory.cuh"
#include "numerics/spectral_radius.h"

namespace slm {

// The result of a step with the clip scale, read by the kernels of an update.
struct ClipResult {
  StepResult result;
  float grad_scale;
  bool finite;  // if not, the update changes nothing
};

// Pinned memory, to which the device can write while the host does something else.
template <class T>
class HostArray {
 public:
  explicit HostArray(int64_t size) {
    void* data = nullptr;
    cuda_check(cudaMallocHost(&data, static_cast<size_t>(size) * sizeof(T)), "lock host memory");
    data_.reset(static_cast<T*>(data));
  }
  T* get() { return data_.get(); }
  const T* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { cudaFreeHost(p); }
  };
  std::unique_ptr<T, Free> data_;
};

// Scratch memory of the spectral-radius bound (spectral_radius.cu); empty without one.
struct SpectralRadiusArrays {
  static constexpr unsigned kBlocks = 64;  // that sum the squares of a matrix, at most

  SpectralRadiusArrays(const DeviceMemory& memory, const TensorTable& table,
                       bool max_spectral_radius)
      : powers(memory, max_spectral_radius ? 2 * table.recurrent_size() : 0),
        norms(memory, max_spectral_radius ? kSquarings + 1 : 0),
        sums(memory, max_spectral_radius ? kBlocks : 0) {}

  DeviceArray<float> powers;  // room for two matrices like a dense cell's A
  DeviceArray<double> norms;  // of its powers
  DeviceArray<double> sums;   // of a block's squares each
};

struct CudaUpdateResult final : UpdateResult {
  CudaUpdateResult(const Stream& stream, const TensorTable& table, bool max_spectral_radius)
      : clip(stream, 1), radius(stream, table, max_spectral_radius), result(1) {}

  DeviceArray<ClipResult> clip;
  SpectralRadiusArrays radius;
  HostArray<StepResult> result;
  Event arrived;
};

}  // namespace slm
