#pragma once
// Lets g++ compile the .cu files and runs their kernels on the CPU. Compile with
// `-x c++ -include emulate.h`, as nvcc includes its runtime by itself.
//
// Blocks run one after the other. The threads of a block are fibers on one real thread: each runs
// until it has to wait, at __syncthreads for its block or at a shuffle for its warp. Every other
// block begins with its last thread, so that neither order hides a missing barrier. If all that is
// left waits for threads that never come, the launch fails. Here are the words of CUDA that cuda/
// uses, and no others. Streams do everything at once.
#undef _FORTIFY_SOURCE  // its longjmp takes a change of stacks for an attack
#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // blocks run one at a time

struct dim3 {
  dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1)
      : x(x_size), y(y_size), z(z_size) {}
  unsigned x, y, z;
};

inline dim3 gridDim, blockDim, blockIdx(0, 0, 0), threadIdx(0, 0, 0);

namespace emulate {

constexpr unsigned kWarpSize = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr size_t kStackSize = 64 * 1024;

struct Barrier {
  unsigned size = 0;     // threads that meet here
  unsigned waiting = 0;  // of them, those that have come
  unsigned passed = 0;   // times that all had come
};

struct Warp {
  Barrier barrier;
  // Two sets, used in turns: a lane may be one shuffle ahead of another that has yet to read.
  uint64_t values[2][kWarpSize] = {};
};

struct Fiber {
  unsigned shuffles = 0;
  bool started = false;
  bool done = false;
  std::unique_ptr<char[]> stack{new char[kStackSize]};
  ucontext_t start = {};  // where it begins
  jmp_buf paused = {};    // where it goes on; much faster than swapcontext, which asks the kernel
};

// The block that is running.
class Block {
 public:
  // False if threads are left that wait for others that never come.
  bool run(const std::function<void()>& kernel) {
    kernel_ = &kernel;
    prepare();
    falling_ = !falling_;
    unsigned left = blockDim.x;
    while (left > 0) {
      progress_ = false;
      for (unsigned turn = 0; turn < blockDim.x; ++turn) {
        const unsigned i = falling_ ? blockDim.x - 1 - turn : turn;
        if (fibers_[i].done) continue;
        threadIdx.x = i;
        resume(fibers_[i]);
        if (fibers_[i].done) --left;
      }
      if (!progress_) return false;
    }
    return true;
  }

  void sync_threads() { wait(barrier_); }

  // The value that the lane `from(lane)` of this thread's warp passes.
  template <class T, class F>
  T shuffle(T value, const F& from) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    Warp& warp = warps_[threadIdx.x / kWarpSize];
    uint64_t* values = warp.values[fibers_[threadIdx.x].shuffles++ % 2];
    const unsigned lane = threadIdx.x % kWarpSize;
    std::memcpy(values + lane, &value, sizeof value);
    wait(warp.barrier);
    std::memcpy(&value, values + from(lane), sizeof value);
    return value;
  }

 private:
  static void enter();

  void prepare() {
    const unsigned threads = blockDim.x;
    if (fibers_.size() < threads) fibers_.resize(threads);
    barrier_ = {threads};
    warps_.assign((threads + kWarpSize - 1) / kWarpSize, {});
    for (unsigned i = 0; i < threads; ++i) {
      ++warps_[i / kWarpSize].barrier.size;
      fibers_[i].shuffles = 0;
      // One that ended waits for the next kernel; one that was given up begins again.
      fibers_[i].started = fibers_[i].started && fibers_[i].done;
      fibers_[i].done = false;
    }
  }

  void resume(Fiber& fiber) {
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.started) _longjmp(fiber.paused, 1);
    fiber.started = true;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = kStackSize;
    makecontext(&fiber.start, &Block::enter, 0);
    setcontext(&fiber.start);
  }

  void pause(Fiber& fiber) {
    if (_setjmp(fiber.paused) == 0) _longjmp(scheduler_, 1);
  }

  void wait(Barrier& barrier) {
    if (++barrier.waiting == barrier.size) {
      barrier.waiting = 0;
      ++barrier.passed;
      progress_ = true;
      return;
    }
    const unsigned passed = barrier.passed;
    while (barrier.passed == passed) pause(fibers_[threadIdx.x]);
  }

  const std::function<void()>* kernel_ = nullptr;
  jmp_buf scheduler_ = {};
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  Barrier barrier_;
  bool progress_ = false;
  bool falling_ = false;  // order of the threads, which changes from block to block
};

inline Block block;

inline void Block::enter() {
  for (;;) {
    (*block.kernel_)();
    Fiber& fiber = block.fibers_[threadIdx.x];
    fiber.done = true;
    block.progress_ = true;
    block.pause(fiber);
  }
}

}  // namespace emulate

inline void __syncthreads() { emulate::block.sync_threads(); }

// All lanes of a warp take part, whatever the mask says; the kernels always pass all.
template <class T>
T __shfl_up_sync(unsigned, T value, unsigned distance) {
  return emulate::block.shuffle(
      value, [=](unsigned lane) { return lane < distance ? lane : lane - distance; });
}

template <class T>
T __shfl_xor_sync(unsigned, T value, unsigned mask) {
  return emulate::block.shuffle(value, [=](unsigned lane) { return lane ^ mask; });
}

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorLaunchFailure = 719,
};

inline const char* cudaGetErrorString(cudaError_t code) {
  switch (code) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorLaunchFailure:
      return "threads wait for others that never come";
  }
  return "unknown error";
}

using cudaStream_t = struct CUstream_st*;

inline cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }

// Filled with NaN, so that nobody relies on fresh memory.
template <class T>
cudaError_t cudaMallocAsync(T** data, size_t bytes, cudaStream_t) {
  if (bytes == 0) return cudaErrorInvalidValue;
  *data = static_cast<T*>(std::malloc(bytes));
  if (*data == nullptr) return cudaErrorMemoryAllocation;
  std::memset(*data, 0xFF, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* data, cudaStream_t) {
  std::free(data);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t) {
  std::memset(data, value, bytes);
  return cudaSuccess;
}

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                                   cudaStream_t) {
  std::memcpy(to, from, bytes);
  return cudaSuccess;
}

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
};

template <class... Params>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...),
                               Params... args) {
  const dim3 grid = config->gridDim, threads = config->blockDim;
  const bool fits = grid.x > 0 && grid.x <= 0x7FFFFFFF && grid.y > 0 && grid.y <= 0xFFFF &&
                    grid.z > 0 && grid.z <= 0xFFFF && threads.x > 0 &&
                    threads.x <= emulate::kMaxThreads && threads.y == 1 && threads.z == 1;
  if (!fits) return cudaErrorInvalidConfiguration;
  ::gridDim = grid;
  ::blockDim = threads;
  const std::function<void()> thread = [&] { kernel(args...); };
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x)
        if (!emulate::block.run(thread)) return cudaErrorLaunchFailure;
  return cudaSuccess;
}
