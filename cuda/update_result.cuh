#pragma once
// What an update finds out on the device about its step, and how the host gets to know.
#include "memory.cuh"
#include "numerics/spectral_radius.h"

namespace slm {

// What the kernels of an update go by.
struct ClipResult {
  StepResult result;
  float grad_scale;
  bool finite;  // where it is not, the update changes nothing
};

// Page-locked memory, which the device can write to while the host does something else.
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

// What an update with a max_spectral_radius works in (spectral_radius.cu); else empty.
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
