#pragma once
// Lets g++ compile the .cu files and runs their kernels on the CPU. Compile with
// `-x c++ -include emulate.h`, as nvcc includes its runtime by itself. Here are the words of CUDA
// that cuda/ and its tests use, and no others.
//
// Blocks run one after the other, in any order. What the order of blocks or threads may change, and
// what lies outside of memory, is what the tests look for: with other seeds (emulate/block.h) and
// under sanitizers (cmake/developer.cmake).
#include "emulate/device.h"
#include "emulate/kernel.h"
#include "emulate/runtime.h"
