#pragma once
// What this machine can reach at best with the instruction set in use, measured: what the speed of
// training and generation is compared with.
#include <cstdint>

namespace slm {

// GFLOP/s of multiply-adds in registers on `threads` threads at once (0: one per core). The best of
// short runs in about `seconds`.
double measure_fma(int threads, double seconds);

// GB/s at which `threads` threads at once read a buffer of `num_bytes` again and again, each its
// own part of it.
double measure_read(int threads, int64_t num_bytes, double seconds);

}  // namespace slm
