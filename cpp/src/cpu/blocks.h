#pragma once
// How an operation cuts its chunk of time into blocks and shares them among threads.
#include <algorithm>

#include "cpu/kernels.h"

namespace slm {

// Time steps [t0, t1) of batch rows [b0, b1) of a chunk.
struct Block {
  int64_t t0, t1, b0, b1;
  // In a block of the whole batch all rows are contiguous, which makes larger tiles than the rows
  // of one time step.
  RowGrid grid(int64_t batch) const {
    if (b1 - b0 == batch) return {1, (t1 - t0) * batch};
    return {t1 - t0, b1 - b0};
  }
};

// A time-major array (steps, batch, width).
struct Array {
  float* data;
  int64_t batch, width;

  Rows rows(const Block& at) const { return {row(at.t0, at.b0), batch * width, width}; }
  float* row(int64_t t, int64_t b) const { return data + (t * batch + b) * width; }
};

// f(t, b) for every row of a block, in the order of memory.
template <class F>
void for_each_row(const Block& at, const F& f) {
  for (int64_t t = at.t0; t < at.t1; ++t)
    for (int64_t b = at.b0; b < at.b1; ++b) f(t, b);
}

// Runs f(block) over a chunk whose positions do not depend on each other. Threads share the batch
// as in run_layer, so that each finds in its cache what it has left there. A block has few
// positions, whose values stay in cache while f works on them.
template <class F, class ParallelFor>
void parallel_for_positions(const ParallelFor& parallel_for, int64_t threads, int64_t steps,
                            int64_t batch, const F& f) {
  constexpr int64_t kPositions = 64;
  const auto in_blocks = [&](const Block& at) {
    const int64_t block_steps = std::max<int64_t>(1, kPositions / (at.b1 - at.b0));
    for (int64_t t = at.t0; t < at.t1; t += block_steps)
      f(Block{t, std::min(at.t1, t + block_steps), at.b0, at.b1});
  };
  if (batch >= threads)
    parallel_for(batch, [&](int64_t b0, int64_t b1) { in_blocks({0, steps, b0, b1}); });
  else
    parallel_for(steps, [&](int64_t t0, int64_t t1) { in_blocks({t0, t1, 0, batch}); });
}

enum class TimeOrder { rising, falling };

// Runs before(block), scan(block), after(block) over a chunk, in blocks of at most `block_steps`
// time steps, one after the other in the given order. Threads share the batch: a row never leaves
// its thread, and no thread waits for another. Where there are fewer rows than threads, they share
// the time steps before and after the scan instead.
template <class Before, class Scan, class After, class ParallelFor>
void run_layer(const ParallelFor& parallel_for, int64_t threads, int64_t steps, int64_t batch,
               int64_t block_steps, TimeOrder order, const Before& before, const Scan& scan,
               const After& after) {
  if (batch < threads) {
    parallel_for(steps, [&](int64_t t0, int64_t t1) { before(Block{t0, t1, 0, batch}); });
    parallel_for(batch, [&](int64_t b0, int64_t b1) { scan(Block{0, steps, b0, b1}); });
    parallel_for(steps, [&](int64_t t0, int64_t t1) { after(Block{t0, t1, 0, batch}); });
    return;
  }
  parallel_for(batch, [&](int64_t b0, int64_t b1) {
    const int64_t blocks = (steps + block_steps - 1) / block_steps;
    for (int64_t i = 0; i < blocks; ++i) {
      const int64_t t0 = (order == TimeOrder::rising ? i : blocks - 1 - i) * block_steps;
      const Block at{t0, std::min(steps, t0 + block_steps), b0, b1};
      before(at);
      scan(at);
      after(at);
    }
  });
}

}  // namespace slm
