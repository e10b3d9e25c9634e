#include "util/thread_pool.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#ifdef __linux__
#include <sched.h>
#endif

#include "slm/error.h"

namespace slm {
namespace {

// A worker looks for the next job for this long before it goes to sleep: the operations of a
// training step follow each other within microseconds, and waking a thread takes about fifty.
constexpr auto kSpin = std::chrono::microseconds(100);

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until done() is true or the time is over.
template <class Done>
bool spin_until(const Done& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

// cgroup v2 "cpu.max": "quota period" in microseconds, or "max period". 0 where there is no limit.
int cgroup_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  const double cores = std::strtod(quota.c_str(), nullptr) / period;
  return cores < 1 ? 1 : static_cast<int>(cores + 0.5);
}

}  // namespace

int available_cores() {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
  const int limit = cgroup_cores();
  if (limit > 0 && limit < cores) cores = limit;
  return cores < 1 ? 1 : cores;
}

ThreadPool::ThreadPool(int threads)
    : process_(static_cast<int>(::getpid())), workers_(std::make_unique<Workers>()) {
  try {
    for (int i = 1; i < threads; ++i) workers_->workers.emplace_back([this] { work(); });
  } catch (const std::exception& error) {
    const std::string started = std::to_string(workers_->workers.size() + 1);
    stop();
    throw Error(ErrorKind::device, "the system gives " + started + " of " +
                                       std::to_string(threads) + " threads (" + error.what() +
                                       "); ask for fewer");
  }
}

ThreadPool::~ThreadPool() {
  if (::getpid() == process_)
    stop();
  else
    static_cast<void>(workers_.release());
}

void ThreadPool::stop() {
  {
    std::lock_guard<std::mutex> lock(workers_->sleep_mutex);
    stopping_ = true;
  }
  workers_->wake.notify_all();
  for (std::thread& worker : workers_->workers) worker.join();
}

thread_local bool ThreadPool::inside_part = false;

void ThreadPool::take_parts() {
  int64_t part = next_part_++;
  if (part >= parts_) return;
  const int64_t worker = next_worker_++;
  inside_part = true;
  for (; part < parts_; part = next_part_++) function_(context_, part, worker);
  inside_part = false;
}

void ThreadPool::work() {
  uint64_t seen = 0;
  for (;;) {
    const auto called = [&] { return stopping_ || job_ != seen; };
    if (!spin_until(called)) {
      std::unique_lock<std::mutex> lock(workers_->sleep_mutex);
      workers_->wake.wait(lock, called);
    }
    if (stopping_) return;
    seen = job_;
    take_parts();
    --working_;
  }
}

void ThreadPool::run_erased(int64_t parts, Function function, const void* context,
                            const std::function<void()>& idle) {
  if (parts <= 1 || size() == 1 || ::getpid() != process_ || busy_.exchange(true)) {
    for (int64_t part = 0; part < parts; ++part) function(context, part, 0);
    return;
  }
  function_ = function;
  context_ = context;
  parts_ = parts;
  next_part_ = 0;
  next_worker_ = 0;
  working_ = size() - 1;
  {
    std::lock_guard<std::mutex> lock(workers_->sleep_mutex);
    ++job_;
  }
  workers_->wake.notify_all();
  take_parts();
  while (!spin_until([&] { return working_ == 0; })) {
    if (idle) idle();
    std::this_thread::yield();
  }
  busy_ = false;
}

}  // namespace slm
