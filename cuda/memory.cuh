#pragma once
// What the CUDA backend's opaque objects are made of.
#include <memory>

#include "backend.h"
#include "launch.cuh"

namespace slm {

// Zeroed device memory, taken and given back in the order of a stream. Of size 0, it is null.
template <class T>
class DeviceArray {
 public:
  DeviceArray(cudaStream_t stream, int64_t size) {
    if (size == 0) return;
    const size_t bytes = static_cast<size_t>(size) * sizeof(T);
    T* data = nullptr;
    cuda_check(cudaMallocAsync(&data, bytes, stream), "allocate memory");
    data_ = {data, Free{stream}};
    cuda_check(cudaMemsetAsync(data, 0, bytes, stream), "clear memory");
  }
  T* get() { return data_.get(); }
  const T* get() const { return data_.get(); }

 private:
  struct Free {
    cudaStream_t stream;
    void operator()(T* p) const { cudaFreeAsync(p, stream); }
  };
  std::unique_ptr<T, Free> data_{nullptr, Free{}};
};

struct CudaBuffer final : Buffer {
  CudaBuffer(cudaStream_t stream, int64_t size) : Buffer(size), values(stream, size) {}
  DeviceArray<float> values;
};

inline float* device_data(Buffer& buffer) { return static_cast<CudaBuffer&>(buffer).values.get(); }
inline const float* device_data(const Buffer& buffer) {
  return static_cast<const CudaBuffer&>(buffer).values.get();
}

struct CudaWeights final : Weights {
  CudaWeights(cudaStream_t stream, const TensorTable& table)
      : values(stream, table.num_parameters()), embedding(table.at("embedding.weight").offset) {}
  Buffer& flat() override { return values; }

  CudaBuffer values;
  int64_t embedding;  // offset of W_E
};

// Arrays cover the whole window, so that a range of time is an offset into them.
struct CudaWorkspace final : Workspace {
  CudaWorkspace(cudaStream_t stream, const Config& config, const WorkspaceShape& shape)
      : E(config.embed_dim),
        B(shape.batch_size),
        tokens(stream, shape.seq_len * B),
        targets(stream, shape.seq_len * B),
        state(stream, config.num_layers * B * config.state_dim),
        u(stream, shape.seq_len * B * E),
        dy(stream, shape.training ? shape.seq_len * B * E : 0) {}

  const int64_t E, B;
  DeviceArray<uint8_t> tokens, targets;  // (T, B)
  CudaBuffer state;                      // (L, B, N): where the next time step starts
  CudaBuffer u;                          // (T, B, E): input of the first layer
  CudaBuffer dy;                         // (T, B, E): gradient by it
};

}  // namespace slm
