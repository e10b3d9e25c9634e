// The kernels compiled for one instruction set; CMake gives this file its flags.
#include <type_traits>

#include "cpu/kernels.h"
// clang-format off: each builds on the ones before.
#include "cpu/vec_avx2.h"
#include "cpu/math-inl.h"
#include "cpu/tiles-inl.h"
#include "cpu/matmul-inl.h"
#include "cpu/elementwise-inl.h"
#include "cpu/cells-inl.h"
#include "cpu/peak-inl.h"
#include "cpu/kernel-table-inl.h"
// clang-format on

namespace slm {

constexpr Kernels kAvx2Kernels = make_kernels("avx2", /*rounds_to_bf16=*/false);

}  // namespace slm
