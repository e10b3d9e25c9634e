#include "cpu/peak.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "cpu/isa.h"
#include "cpu/memory.h"
#include "util/interrupt.h"
#include "util/require.h"
#include "util/thread_pool.h"

namespace slm {
namespace {

using Clock = std::chrono::steady_clock;

// Long enough for a clock, short enough that some run goes undisturbed on a busy machine.
constexpr double kRunSeconds = 0.004;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

// work(thread) on every thread of an idle pool at once: seconds from the first start to the last
// end. The threads wait for each other, so each takes exactly one task.
template <class F>
double run_together(ThreadPool& pool, const F& work) {
  const auto threads = static_cast<size_t>(pool.size());
  std::vector<Clock::time_point> starts(threads), ends(threads);
  std::atomic<size_t> missing{threads};
  pool.run(pool.size(), [&](int64_t task) {
    const auto thread = static_cast<size_t>(task);
    --missing;
    while (missing > 0) std::this_thread::yield();
    starts[thread] = Clock::now();
    work(task);
    ends[thread] = Clock::now();
  });
  return seconds_between(*std::min_element(starts.begin(), starts.end()),
                         *std::max_element(ends.begin(), ends.end()));
}

// work(thread, repeats) returns how much it did. The best amount per second of all threads
// together.
template <class F>
double best_rate(int threads, double seconds, const F& work) {
  require("threads", threads, Range<int>{0, kMaxThreads});
  ThreadPool pool(threads > 0 ? threads : available_cores());
  std::vector<double> done(static_cast<size_t>(pool.size()));
  const auto begin = Clock::now();
  double best = 0;
  int64_t repeats = 1;
  do {
    poll_interrupt();
    const double elapsed = run_together(
        pool, [&](int64_t task) { done[static_cast<size_t>(task)] = work(task, repeats); });
    if (elapsed < kRunSeconds) {
      repeats *= 2;
      continue;
    }
    double amount = 0;
    for (double each : done) amount += each;
    best = std::max(best, amount / elapsed);
  } while (best == 0 || seconds_between(begin, Clock::now()) < seconds);
  return best;
}

}  // namespace

double measure_fma(int threads, double seconds) {
  const Kernels& kernels = active_kernels();
  return 1e-9 * best_rate(threads, seconds, [&](int64_t, int64_t repeats) {
           float result;
           return kernels.fma_loop(1024 * repeats, &result);
         });
}

double measure_read(int threads, int64_t num_bytes, double seconds) {
  constexpr int64_t kFloatBytes = sizeof(float);
  require("num_bytes", num_bytes, Range<int64_t>{kFloatBytes});
  const int64_t size = num_bytes / kFloatBytes;
  FloatArray buffer(size);
  std::fill_n(buffer.get(), size, 1.0f);  // or all its pages might be one page of zeros
  const float* values = buffer.get();
  const Kernels& kernels = active_kernels();
  const int64_t tasks = threads > 0 ? threads : available_cores();
  return 1e-9 * best_rate(threads, seconds, [&](int64_t task, int64_t repeats) {
           const int64_t begin = size * task / tasks, end = size * (task + 1) / tasks;
           for (int64_t i = 0; i < repeats; ++i) kernels.read_loop(values + begin, end - begin);
           return static_cast<double>(repeats * (end - begin)) * sizeof(float);
         });
}

}  // namespace slm
