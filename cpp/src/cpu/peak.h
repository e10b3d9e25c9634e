#pragma once
// Measures the roofline of this machine with the instruction set in use: peak arithmetic and memory
// bandwidth, with which the speed of training and generation is compared.
#include <cstdint>

namespace slm {

// GFLOP/s of multiply-adds in registers on `threads` threads at once (0: one per core). The best of
// short runs in about `seconds`.
double measure_fma(int threads, double seconds);

// GB/s at which `threads` threads at once read a buffer of `num_bytes` again and again, each a
// range of its own.
double measure_read(int threads, int64_t num_bytes, double seconds);

}  // namespace slm
