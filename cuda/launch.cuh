#pragma once
// Calls of the CUDA runtime that throw, streams, and kernel launches. Launches are plain C++, so
// that the tests can compile the .cu files without nvcc (tests/cuda/emulate.h).
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "slm/error.h"

namespace slm {

inline void cuda_check(cudaError_t code, const char* what) {
  if (code != cudaSuccess)
    throw Error(ErrorKind::device,
                std::string("the CUDA device cannot ") + what + ": " + cudaGetErrorString(code));
}

// A stream. Memory of a stream must be freed before it is destroyed. It is non-blocking: it and the
// default stream, which belongs to other code in the process, do not wait for each other, and use
// of the default stream does not invalidate a capture.
class Stream {
 public:
  Stream() {
    for (cudaStream_t* stream : {&stream_, &recorded_})
      cuda_check(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking), "make a stream");
  }
  ~Stream() {
    cudaStreamDestroy(recorded_);
    cudaStreamDestroy(stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const {
    return recorder_ == std::this_thread::get_id() ? recorded_ : stream_;
  }

  // Between these calls, what this thread launches is captured (graph.cuh). Other threads go on
  // launching, so the capture is on another stream. The graph is null if the capture failed.
  void begin_recording() const {
    std::unique_lock<std::mutex> lock(recording_);
    cuda_check(cudaStreamBeginCapture(recorded_, cudaStreamCaptureModeThreadLocal), "record");
    recorder_ = std::this_thread::get_id();
    lock.release();  // by end_recording
  }
  cudaGraph_t end_recording() const {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(recorded_, &graph) != cudaSuccess) graph = nullptr;
    recorder_ = std::thread::id();
    recording_.unlock();
    return graph;
  }

 private:
  cudaStream_t stream_ = nullptr, recorded_ = nullptr;
  mutable std::mutex recording_;
  mutable std::atomic<std::thread::id> recorder_{};
};

// A point in a stream's work, to wait for without waiting for what comes after it. The destructor
// waits for it, so memory that the work uses has to be declared before its event.
class Event {
 public:
  Event() {
    cuda_check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "make an event");
  }
  ~Event() {
    cudaEventSynchronize(event_);
    cudaEventDestroy(event_);
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) { cuda_check(cudaEventRecord(event_, stream), "mark its work"); }
  // Waits for all work up to the latest record(); returns at once if there was none.
  void wait() const { cuda_check(cudaEventSynchronize(event_), "finish its work"); }

 private:
  cudaEvent_t event_ = nullptr;
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
