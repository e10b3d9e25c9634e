#pragma once
// The calls of the CUDA runtime that cuda/ uses. Streams do everything at once, except while one of
// them captures: then its work is kept for a graph. With SLM_EMULATE_LATE=1 they do it as late as
// they may, when somebody waits: who changes or frees what work has still to read is found out.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <limits>
#include <mutex>
#include <numeric>
#include <tuple>

#include "block.h"
#include "errors.h"

namespace emulate {

using Work = std::function<cudaError_t()>;

}  // namespace emulate

struct CUgraph_st {
  std::vector<emulate::Work> work;
};
struct CUgraphExec_st {
  std::vector<emulate::Work> work;
};
struct CUevent_st {
  int64_t after = 0;  // so many pieces of work
};
struct CUstream_st {
  bool capturing = false, invalidated = false;
  std::vector<emulate::Work> captured;
};
using cudaStream_t = CUstream_st*;
using cudaEvent_t = CUevent_st*;
using cudaGraph_t = CUgraph_st*;
using cudaGraphExec_t = CUgraphExec_st*;

namespace emulate {

// Work of all streams that has not been done yet.
class LateWork {
 public:
  const bool is_on = number_of_environment("SLM_EMULATE_LATE") != 0;

  void add(Work work) {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_.push_back(std::move(work));
  }
  // The numbers of pieces of work that have been called, and that have been done.
  int64_t called() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_ + static_cast<int64_t>(work_.size());
  }
  int64_t done() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return done_;
  }
  // The first error of any of it.
  cudaError_t finish(int64_t until = std::numeric_limits<int64_t>::max()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    cudaError_t first = cudaSuccess;
    for (; !work_.empty() && done_ < until; ++done_, work_.pop_front())
      if (const cudaError_t code = work_.front()(); first == cudaSuccess) first = code;
    return first;
  }

 private:
  std::mutex mutex_;
  std::deque<Work> work_;
  int64_t done_ = 0;
};

inline LateWork late_work;

// Runs the work, now or later, or keeps it where the stream captures: so whatever it points to has
// to be there when it runs, and its parameters must be copies.
inline cudaError_t submit(cudaStream_t stream, Work work) {
  if (stream != nullptr && stream->capturing) {
    stream->captured.push_back(std::move(work));
    return cudaSuccess;
  }
  if (!late_work.is_on) return work();
  late_work.add(std::move(work));
  return cudaSuccess;
}

// Fails on a stream that captures, for calls that cannot be captured.
inline cudaError_t refuse_capture(cudaStream_t stream) {
  if (stream == nullptr || !stream->capturing) return cudaSuccess;
  stream->invalidated = true;
  return cudaErrorStreamCaptureUnsupported;
}

inline int64_t waits = 0;  // for all work of a stream, of which tests want few

inline int64_t allocated_bytes = 0;  // in all, so that tests can check plans of memory

inline size_t memory = size_t{1} << 40;  // more cannot be taken at once

inline std::mutex running;  // there is one set of built-in variables

inline cudaError_t run_grid(dim3 grid, dim3 threads, size_t shared_bytes,
                            const std::function<void()>& thread) {
  const std::lock_guard<std::mutex> lock(running);
  ::gridDim = grid;
  ::blockDim = threads;
  std::vector<unsigned> blocks(size_t{grid.x} * grid.y * grid.z);
  std::iota(blocks.begin(), blocks.end(), 0u);
  order.shuffle(blocks);
  for (const unsigned i : blocks) {
    blockIdx = dim3(i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y);
    if (!block.run(thread, shared_bytes)) return cudaErrorLaunchFailure;
  }
  return cudaSuccess;
}

}  // namespace emulate

constexpr unsigned cudaStreamNonBlocking = 1;
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const cudaError_t code = emulate::late_work.finish();
  delete stream;
  return code;
}
inline cudaError_t cudaDeviceSynchronize() { return emulate::late_work.finish(); }
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t code = emulate::refuse_capture(stream)) return code;
  ++emulate::waits;
  return emulate::late_work.finish();
}

constexpr unsigned cudaEventDisableTiming = 2;
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t code = emulate::refuse_capture(stream)) return code;
  event->after = emulate::late_work.called();
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return emulate::late_work.finish(event->after);
}

inline cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::malloc(bytes);
  return *data != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
inline cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}

// Memory of exactly the size that was asked for, so that a sanitizer sees what is outside it,
// filled with NaN, so that nobody relies on fresh memory.
template <class T>
cudaError_t cudaMallocAsync(T** data, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return cudaErrorInvalidValue;
  if (const cudaError_t code = emulate::refuse_capture(stream)) return code;
  if (bytes > emulate::memory) return cudaErrorMemoryAllocation;
  *data = static_cast<T*>(std::malloc(bytes));
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*data, 0xFF, bytes);
  emulate::allocated_bytes += static_cast<int64_t>(bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = *total = emulate::memory;
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  if (const cudaError_t code = emulate::refuse_capture(stream)) return code;
  return emulate::submit(stream, [=] {
    std::free(data);
    return cudaSuccess;
  });
}
inline cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  return emulate::submit(stream, [=] {
    std::memset(data, value, bytes);
    return cudaSuccess;
  });
}

enum cudaMemcpyKind {
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};

// A graph would read or write the host's memory when it runs, which nobody here means.
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t stream) {
  if (kind != cudaMemcpyDeviceToDevice)
    if (const cudaError_t code = emulate::refuse_capture(stream)) return code;
  return emulate::submit(stream, [=] {
    if (bytes > 0) std::memcpy(to, from, bytes);  // of nothing there may be no address
    return cudaSuccess;
  });
}

inline cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t code = cudaMemcpyAsync(to, from, bytes, kind, nullptr)) return code;
  return cudaDeviceSynchronize();
}

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

template <class... Params>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...),
                               Params... args) {
  constexpr size_t kMaxShared = 48 * 1024;
  const dim3 grid = config->gridDim, threads = config->blockDim;
  const size_t shared = config->dynamicSmemBytes;
  const bool fits = grid.x > 0 && grid.x <= 0x7FFFFFFF && grid.y > 0 && grid.y <= 0xFFFF &&
                    grid.z > 0 && grid.z <= 0xFFFF && threads.x > 0 &&
                    threads.x <= emulate::kMaxThreads && threads.y == 1 && threads.z == 1 &&
                    shared <= kMaxShared;
  if (!fits) return cudaErrorInvalidConfiguration;
  return emulate::submit(
      config->stream, [grid, threads, shared, kernel, values = std::tuple<Params...>(args...)] {
        return emulate::run_grid(grid, threads, shared, [&] { std::apply(kernel, values); });
      });
}

enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed
};

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (stream == nullptr || stream->capturing) return cudaErrorInvalidValue;
  stream->capturing = true;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (stream == nullptr || !stream->capturing) return cudaErrorInvalidValue;
  const bool invalidated = stream->invalidated;
  *graph = invalidated ? nullptr : new CUgraph_st{stream->captured};
  *stream = CUstream_st();
  return invalidated ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                        unsigned long long) {
  *exec = new CUgraphExec_st{graph->work};
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  for (const emulate::Work& work : exec->work)
    if (const cudaError_t code = emulate::submit(stream, work)) return code;
  return cudaSuccess;
}
