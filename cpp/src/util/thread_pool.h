#pragma once
// Threads that split the work of one operation. Which thread does what never changes a result: an
// operation's parts write to different places.
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace slm {

// Cores that this process may use: its affinity mask, cut by the cgroup's CPU limit.
int available_cores();

class ThreadPool {
 public:
  // threads >= 1, the caller's own included. Error(device) where the system refuses so many.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_->workers.size()) + 1; }
  // Threads that a run started here and now could keep busy: 1 within a part of another run.
  int free_threads() const { return inside_part ? 1 : size(); }
  // Whether this thread is within a part of a run on several threads.
  static bool is_inside_part() { return inside_part; }

  // f(part) or f(part, worker) for every part in [0, parts), in any order; returns when all are
  // done. Calls with the same `worker`, which is below min(parts, size()), do not overlap. Runs on
  // the caller alone when the pool is busy, be it with another caller's work or with the part that
  // calls this, and in a process forked from the pool's, where there are no workers. While the
  // caller has no part left and waits for the workers, it keeps calling `idle`. Neither may throw.
  template <class F>
  void run(int64_t parts, const F& f, const std::function<void()>& idle = nullptr) {
    const auto call = [](const void* context, int64_t part, [[maybe_unused]] int64_t worker) {
      const F& function = *static_cast<const F*>(context);
      if constexpr (std::is_invocable_v<const F&, int64_t, int64_t>)
        function(part, worker);
      else
        function(part);
    };
    run_erased(parts, call, &f, idle);
  }

 private:
  using Function = void (*)(const void* context, int64_t part, int64_t worker);

  void run_erased(int64_t parts, Function function, const void* context,
                  const std::function<void()>& idle);
  void work();
  void take_parts();
  void stop();

  // Not destroyed in a forked process, where the workers do not exist and would be waited for.
  struct Workers {
    std::mutex sleep_mutex;
    std::condition_variable wake;
    std::vector<std::thread> workers;
  };

  static thread_local bool inside_part;

  std::atomic<bool> busy_{false};  // while some caller's work is running
  Function function_ = nullptr;
  const void* context_ = nullptr;
  int64_t parts_ = 0;
  std::atomic<int64_t> next_part_{0};
  std::atomic<int64_t> next_worker_{0};  // of those that got a part of the current job
  std::atomic<int> working_{0};          // workers that have not finished the current job
  std::atomic<uint64_t> job_{0};         // counts jobs; a change is the signal to start
  std::atomic<bool> stopping_{false};
  const int process_;  // whose threads the workers are
  std::unique_ptr<Workers> workers_;
};

}  // namespace slm
