#pragma once
// How an operation's chunk of time is cut up and shared out among threads.
#include <algorithm>

#include "cpu/kernels.h"

namespace slm {

// A part of a chunk: time steps [t0, t1) of batch rows [b0, b1).
struct Block {
  int64_t t0, t1, b0, b1;
  // With the whole batch, all rows follow each other, and make larger tiles than those of one step.
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

// Runs f(block) over a chunk whose positions do not depend on each other. The batch is split as
// run_layer does it, so that a thread finds in its cache what it has left there; and in blocks of
// few positions, which stay there while f works on them.
template <class F, class Split>
void parallel_for_positions(const Split& parallel_for, int64_t threads, int64_t steps,
                            int64_t batch, const F& f) {
  constexpr int64_t kPositions = 64;
  const auto in_groups = [&](const Block& at) {
    const int64_t group = std::max<int64_t>(1, kPositions / (at.b1 - at.b0));
    for (int64_t t = at.t0; t < at.t1; t += group)
      f(Block{t, std::min(at.t1, t + group), at.b0, at.b1});
  };
  if (batch >= threads)
    parallel_for(batch, [&](int64_t b0, int64_t b1) { in_groups({0, steps, b0, b1}); });
  else
    parallel_for(steps, [&](int64_t t0, int64_t t1) { in_groups({t0, t1, 0, batch}); });
}

enum class TimeOrder { rising, falling };

// Runs before(block), recurrence(block), after(block) over a chunk, in pieces of at most `piece`
// time steps, one after the other in the given order. Threads split the batch: a row never leaves
// its thread and nobody waits for anybody. Where there are fewer rows than threads, what goes
// before and after the recurrence is split over time instead.
template <class Before, class Recurrence, class After, class Split>
void run_layer(const Split& parallel_for, int64_t threads, int64_t steps, int64_t batch,
               int64_t piece, TimeOrder order, const Before& before, const Recurrence& recurrence,
               const After& after) {
  if (batch < threads) {
    parallel_for(steps, [&](int64_t t0, int64_t t1) { before(Block{t0, t1, 0, batch}); });
    parallel_for(batch, [&](int64_t b0, int64_t b1) { recurrence(Block{0, steps, b0, b1}); });
    parallel_for(steps, [&](int64_t t0, int64_t t1) { after(Block{t0, t1, 0, batch}); });
    return;
  }
  parallel_for(batch, [&](int64_t b0, int64_t b1) {
    const int64_t pieces = (steps + piece - 1) / piece;
    for (int64_t i = 0; i < pieces; ++i) {
      const int64_t t0 = (order == TimeOrder::rising ? i : pieces - 1 - i) * piece;
      const Block at{t0, std::min(steps, t0 + piece), b0, b1};
      before(at);
      recurrence(at);
      after(at);
    }
  });
}

}  // namespace slm
