#pragma once
// Calls of the CUDA runtime that throw, streams, and kernel launches. Launches are plain C++, so
// that the tests can compile the .cu files without nvcc (tests/cuda/emulate.h).
#include <cstdint>
#include <string>

#include "slm/error.h"

namespace slm {

inline void cuda_check(cudaError_t code, const char* what) {
  if (code != cudaSuccess)
    throw Error(ErrorKind::device,
                std::string("the CUDA device cannot ") + what + ": " + cudaGetErrorString(code));
}

// Work in its order. Whoever has memory of a stream must let go of it before the stream.
class Stream {
 public:
  Stream() { cuda_check(cudaStreamCreate(&stream_), "make a stream"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

inline unsigned num_blocks(int64_t size, int64_t per_block) {
  return static_cast<unsigned>((size + per_block - 1) / per_block);
}

template <class... Params, class... Args>
void launch(cudaStream_t stream, dim3 blocks, unsigned threads, void (*kernel)(Params...),
            Args... args) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.stream = stream;
  cuda_check(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...), "run a kernel");
}

}  // namespace slm
