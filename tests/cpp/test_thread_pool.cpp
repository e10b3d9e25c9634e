// Every part runs exactly once, whoever runs it, also when several callers share a pool.
#include <atomic>
#include <thread>
#include <vector>

#include "check.h"
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

void test_many_jobs_in_a_row() {
  slm::ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  for (int job = 0; job < 2000; ++job) pool.run(5, [&](int64_t part) { sum += part; });
  CHECK_EQ(sum.load(), 2000 * 10);
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

}  // namespace

int main() {
  for (const int threads : {1, 2, 5}) test_every_part_once(threads);
  test_many_jobs_in_a_row();
  test_callers_share_a_pool();
  CHECK(slm::available_cores() >= 1);
  return test_result();
}
