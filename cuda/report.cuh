#pragma once
// What an update finds out on the device about its step, and how the host gets to know.
#include "memory.cuh"

namespace slm {

// What the kernels of an update go by.
struct Verdict {
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

struct CudaReport final : Report {
  explicit CudaReport(const Stream& stream) : verdict(stream, 1), result(1) {}

  DeviceArray<Verdict> verdict;
  HostArray<StepResult> result;
  Event arrived;
};

}  // namespace slm
