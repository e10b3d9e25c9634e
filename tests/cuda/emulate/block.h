#pragma once
// Runs the threads of a block as fibers on one real thread. Each runs until it has to wait, at a
// barrier of its block or of its warp. Which one goes on is drawn by a seeded generator, so that a
// missing barrier shows as a result that changes with the seed. If all that is left waits for
// threads that never come, the block fails.
#include <ucontext.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sanitizer.h"

struct dim3 {
  dim3(unsigned x_size = 1, unsigned y_size = 1, unsigned z_size = 1)
      : x(x_size), y(y_size), z(z_size) {}
  unsigned x, y, z;
};

inline dim3 gridDim, blockDim, blockIdx(0, 0, 0), threadIdx(0, 0, 0);

namespace emulate {

constexpr unsigned kWarpSize = 32;
constexpr unsigned kMaxThreads = 1024;

// SplitMix64. SLM_EMULATE_SEED chooses another order.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  unsigned below(unsigned n) {
    state_ += 0x9E3779B97F4A7C15;
    uint64_t z = (state_ ^ (state_ >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return static_cast<unsigned>(((z >> 32) * n) >> 32);
  }
  void shuffle(std::vector<unsigned>& values) {
    for (size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[below(static_cast<unsigned>(i))]);
  }

 private:
  uint64_t state_;
};

inline uint64_t number_of_environment(const char* name) {
  const char* number = std::getenv(name);
  return number ? std::strtoull(number, nullptr, 10) : 0;
}
inline uint64_t seed_of_environment() { return number_of_environment("SLM_EMULATE_SEED"); }

inline Random order(seed_of_environment());  // of lanes, warps and blocks
inline void set_seed(uint64_t seed) { order = Random(seed); }

struct Barrier {
  unsigned size = 0;     // threads that meet here
  unsigned waiting = 0;  // of them, those that have come
  unsigned passed = 0;   // times that all had come
};

struct Warp {
  Barrier barrier;
  // Two sets, used in turns: a lane may be one exchange ahead of another that has yet to read.
  uint64_t values[2][kWarpSize] = {};
};

struct Fiber {
  bool may_run() const { return !done && (barrier == nullptr || barrier->passed != passed); }

  unsigned exchanges = 0;
  bool started = false;
  bool done = false;
  const Barrier* barrier = nullptr;  // where it waits
  unsigned passed = 0;               // as it was when it came there
  std::unique_ptr<char[]> stack{new char[kStackSize]};
  ucontext_t start = {};  // where it begins
  jmp_buf paused = {};    // where it goes on; much faster than swapcontext, which asks the kernel
  StackSwitch stack_switch;
};

// The block that is running.
class Block {
 public:
  // False if threads are left that wait for others that never come.
  bool run(const std::function<void()>& kernel, size_t shared_bytes) {
    kernel_ = &kernel;
    prepare();
    // It has exactly the size that was asked for, so that a sanitizer sees what is outside it.
    shared_.reset(new char[shared_bytes]);
    std::memset(shared_.get(), 0xFF, shared_bytes);
    while (left_ > 0) {
      progress_ = false;
      order.shuffle(warp_order_);
      for (const unsigned warp : warp_order_)
        for (unsigned turns = 1 + order.below(3); turns > 0; --turns) run_lanes(warp);
      if (!progress_) return false;
    }
    return true;
  }

  void sync_threads() { wait(barrier_); }
  void sync_warp() { wait(warp().barrier); }

  // The value that each lane of this thread's warp passes; 0 where there is no lane. The array
  // stays until the warp's next exchange but one.
  const uint64_t* exchange(uint64_t value) {
    uint64_t* values = warp().values[fibers_[threadIdx.x].exchanges++ % 2];
    values[threadIdx.x % kWarpSize] = value;
    sync_warp();
    return values;
  }

  unsigned lanes() { return warp().barrier.size; }
  void* shared() { return shared_.get(); }

 private:
  static void enter();

  Warp& warp() { return warps_[threadIdx.x / kWarpSize]; }

  void prepare() {
    left_ = blockDim.x;
    if (fibers_.size() < left_) fibers_.resize(left_);
    barrier_ = {left_};
    warps_.assign((left_ + kWarpSize - 1) / kWarpSize, {});
    warp_order_.clear();
    for (unsigned i = 0; i < warps_.size(); ++i) warp_order_.push_back(i);
    for (unsigned i = 0; i < left_; ++i) {
      ++warps_[i / kWarpSize].barrier.size;
      Fiber& fiber = fibers_[i];
      // One that ended waits for the next kernel; one that was given up begins again.
      if (fiber.started && !fiber.done) fiber = Fiber();
      fiber.exchanges = 0;
      fiber.done = false;
      fiber.barrier = nullptr;
    }
  }

  // Each lane of the warp that can go on does so until it waits again.
  void run_lanes(unsigned warp) {
    lane_order_.clear();
    for (unsigned i = warp * kWarpSize; i < blockDim.x && i < (warp + 1) * kWarpSize; ++i)
      if (fibers_[i].may_run()) lane_order_.push_back(i);
    order.shuffle(lane_order_);
    for (const unsigned i : lane_order_) {
      progress_ = true;
      threadIdx.x = i;
      resume(fibers_[i]);
      if (fibers_[i].done) --left_;
    }
  }

  void resume(Fiber& fiber) {
    fiber.stack_switch.to_fiber(fiber.stack.get());
    if (_setjmp(scheduler_) == 0) {
      if (fiber.started) jump(fiber.paused);
      fiber.started = true;
      getcontext(&fiber.start);
      fiber.start.uc_stack.ss_sp = fiber.stack.get();
      fiber.start.uc_stack.ss_size = kStackSize;
      makecontext(&fiber.start, &Block::enter, 0);
      setcontext(&fiber.start);
    }
    fibers_[threadIdx.x].stack_switch.in_scheduler();
  }

  void pause(Fiber& fiber) {
    fiber.stack_switch.to_scheduler();
    if (_setjmp(fiber.paused) == 0) jump(scheduler_);
    fibers_[threadIdx.x].stack_switch.in_fiber();
  }

  void wait(Barrier& barrier) {
    if (++barrier.waiting == barrier.size) {
      barrier.waiting = 0;
      ++barrier.passed;
      return;
    }
    Fiber& fiber = fibers_[threadIdx.x];
    fiber.barrier = &barrier;
    fiber.passed = barrier.passed;
    pause(fiber);
  }

  const std::function<void()>* kernel_ = nullptr;
  jmp_buf scheduler_ = {};
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_, lane_order_;
  std::unique_ptr<char[]> shared_;
  Barrier barrier_;
  unsigned left_ = 0;  // threads that have not ended
  bool progress_ = false;
};

inline Block block;

inline void Block::enter() {
  block.fibers_[threadIdx.x].stack_switch.in_fiber();
  for (;;) {
    (*block.kernel_)();
    Fiber& fiber = block.fibers_[threadIdx.x];
    fiber.done = true;
    block.pause(fiber);
  }
}

}  // namespace emulate
