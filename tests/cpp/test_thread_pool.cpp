// Every part runs exactly once, whoever runs it, also when several callers share a pool, or when
// the process was forked.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "check.h"
#include "sanitizer_macros.h"
#include "util/thread_pool.h"

namespace {

void test_every_part_once(int threads) {
  slm::ThreadPool pool(threads);
  CHECK_EQ(pool.size(), threads);
  for (const int64_t parts : {0, 1, 2, 3, 7, 100}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(parts));
    pool.run(parts, [&](int64_t part) { ++runs[static_cast<size_t>(part)]; });
    bool once = true;
    for (const auto& count : runs) once = once && count == 1;
    CHECK(once);
  }
}

// A worker's number is what finds its memory, so two parts that run at once never share one.
void test_workers_do_not_overlap(int threads, int64_t parts) {
  slm::ThreadPool pool(threads);
  const auto workers = static_cast<size_t>(std::min<int64_t>(threads, parts));
  std::vector<std::atomic<int>> inside(workers);
  std::atomic<bool> overlap{false}, out_of_range{false};
  for (int job = 0; job < 200; ++job)
    pool.run(parts, [&](int64_t, int64_t worker) {
      const auto index = static_cast<size_t>(worker);
      if (index >= workers) {
        out_of_range = true;
        return;
      }
      if (++inside[index] != 1) overlap = true;
      std::this_thread::yield();
      --inside[index];
    });
  CHECK(!overlap);
  CHECK(!out_of_range);
}

void test_many_jobs_in_a_row() {
  slm::ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  for (int job = 0; job < 2000; ++job) pool.run(5, [&](int64_t part) { sum += part; });
  CHECK_EQ(sum.load(), 2000 * 10);
}

// Two parts that wait for each other, so that each has a thread; the worker's then waits until the
// caller, whose part is over, has been idle.
void test_caller_is_idle_while_it_waits() {
  slm::ThreadPool pool(2);
  const auto caller = std::this_thread::get_id();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto wait_for = [&](const auto& done) {
    while (!done() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  };
  std::atomic<int> begun{0}, idle{0};
  std::atomic<bool> idle_elsewhere{false};
  pool.run(
      2,
      [&](int64_t) {
        ++begun;
        wait_for([&] { return begun == 2; });
        if (std::this_thread::get_id() != caller) wait_for([&] { return idle >= 3; });
      },
      [&] {
        if (std::this_thread::get_id() != caller || begun < 2) idle_elsewhere = true;
        ++idle;
      });
  CHECK(idle >= 3);
  CHECK(!idle_elsewhere);
}

void test_callers_share_a_pool() {
  slm::ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int job = 0; job < 500; ++job) pool.run(4, [&](int64_t part) { sum += part; });
    });
  for (std::thread& caller : callers) caller.join();
  CHECK_EQ(sum.load(), 4 * 500 * 6);
}

// Whether `work` in a forked process returns true. One that hangs is ended after a minute.
template <class F>
bool holds_in_a_fork(const F& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(work() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}

void test_fork() {
  std::optional<slm::ThreadPool> pool(std::in_place, 3);
  const auto add_up = [&pool] {
    std::atomic<int64_t> sum{0};
    pool->run(5, [&](int64_t part) { sum += part; });
    return sum == 10;
  };
  CHECK(add_up());
  CHECK(holds_in_a_fork([&] {
    const bool right = add_up();
    pool.reset();
    return right;
  }));
  CHECK(add_up());
}

// A sanitizer's own memory would not fit either.
void test_too_many_threads() {
#if !SLM_ASAN && !SLM_TSAN
  CHECK(holds_in_a_fork([] {
    const rlimit limit{rlim_t{1} << 30, rlim_t{1} << 30};  // holds some hundred stacks
    ::setrlimit(RLIMIT_AS, &limit);
    // An emulator may hold its guest to no limit; then there is nothing that could be refused.
    const void* more =
        ::mmap(nullptr, size_t{2} << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more != MAP_FAILED) return true;
    CHECK_THROWS(slm::ErrorKind::device, " of 1024 threads", slm::ThreadPool(1024));
    return check::failures == 0;
  }));
#endif
}

}  // namespace

int main() {
  for (const int threads : {1, 2, 5}) test_every_part_once(threads);
  for (const int64_t parts : {1, 2, 3, 8}) test_workers_do_not_overlap(4, parts);
  test_many_jobs_in_a_row();
  test_caller_is_idle_while_it_waits();
  test_callers_share_a_pool();
  test_fork();
  test_too_many_threads();
  CHECK(slm::available_cores() >= 1);
  return test_result();
}
