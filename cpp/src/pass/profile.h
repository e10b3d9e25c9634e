#pragma once
// Wall time by operation of backend.h, for `slm bench`. Timers are off, and cost one comparison,
// except on a thread that is within profile().
#include <chrono>
#include <functional>
#include <map>
#include <string>

namespace slm {

using Phases = std::map<std::string, double>;  // seconds by operation

inline thread_local Phases* active_phases = nullptr;

// While this is true, the shards of a window are computed one after the other on this thread, so
// that all threads share each operation; nothing is captured into a graph; and no step begins
// before the one ahead of it has ended. The results are the same bit for bit.
inline bool is_profiling() { return active_phases != nullptr; }

// Adds the time from its construction to its end to an operation. On a device that computes
// asynchronously, the time of an operation counts where the caller waits for it.
class ScopedTimer {
 public:
  explicit ScopedTimer(const char* operation) { start(operation); }
  ~ScopedTimer() { stop(); }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

  // Ends one operation and starts another.
  void next(const char* operation) {
    stop();
    start(operation);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void start(const char* operation) {
    if (phases_ == nullptr) return;
    operation_ = operation;
    start_ = Clock::now();
  }
  void stop() {
    if (phases_ != nullptr)
      (*phases_)[operation_] += std::chrono::duration<double>(Clock::now() - start_).count();
  }

  Phases* const phases_ = active_phases;
  const char* operation_ = nullptr;
  Clock::time_point start_;
};

// Runs `work` on this thread with the timers on.
Phases profile(const std::function<void()>& work);

}  // namespace slm
