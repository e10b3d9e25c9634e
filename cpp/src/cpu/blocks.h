#pragma once
// How an operation's chunk of time is cut up and shared out among threads.
#include "cpu/kernels.h"

namespace slm {

// A part of a chunk: time steps [t0, t1) of batch rows [b0, b1).
struct Block {
  int64_t t0, t1, b0, b1;
  RowGrid grid() const { return {t1 - t0, b1 - b0}; }
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
void each_row(const Block& at, const F& f) {
  for (int64_t t = at.t0; t < at.t1; ++t)
    for (int64_t b = at.b0; b < at.b1; ++b) f(t, b);
}

// Runs before(block), recurrence(b0, b1), after(block) over a chunk. Threads split the batch: a row
// never leaves its thread and nobody waits for anybody. Where there are fewer rows than threads,
// what goes before and after the recurrence is split over time instead.
template <class Before, class Recurrence, class After, class Split>
void split_layer(const Split& split, int64_t threads, int64_t steps, int64_t batch,
                 const Before& before, const Recurrence& recurrence, const After& after) {
  if (batch >= threads) {
    split(batch, [&](int64_t b0, int64_t b1) {
      before(Block{0, steps, b0, b1});
      recurrence(b0, b1);
      after(Block{0, steps, b0, b1});
    });
  } else {
    split(steps, [&](int64_t t0, int64_t t1) { before(Block{t0, t1, 0, batch}); });
    split(batch, recurrence);
    split(steps, [&](int64_t t0, int64_t t1) { after(Block{t0, t1, 0, batch}); });
  }
}

}  // namespace slm
