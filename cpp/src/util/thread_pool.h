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

  // f(part) for every part in [0, parts), in any order; returns when all are done. Runs on the
  // caller alone when the pool is busy, be it with another caller's work or with the part that
  // calls this, and in a process forked from the pool's, where there are no workers. Where the
  // caller has no part left and waits for the workers, it calls `idle` again and again. Neither may
  // throw.
  template <class F>
  void run(int64_t parts, const F& f, const std::function<void()>& idle = nullptr) {
    run_erased(
        parts, [](const void* context, int64_t part) { (*static_cast<const F*>(context))(part); },
        &f, idle);
  }

 private:
  using Function = void (*)(const void* context, int64_t part);

  void run_erased(int64_t parts, Function function, const void* context,
                  const std::function<void()>& idle);
  void work();
  void take_parts();
  void stop();

  // What a forked process must not destroy: its workers do not exist, and would be waited for.
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
  std::atomic<int> working_{0};   // workers that have not finished the current job
  std::atomic<uint64_t> job_{0};  // counts jobs; a change is the signal to start
  std::atomic<bool> stopping_{false};
  const int process_;  // whose threads the workers are
  std::unique_ptr<Workers> workers_;
};

}  // namespace slm
