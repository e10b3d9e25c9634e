// AVX-512's kernels with the matrix products on bf16; CMake gives this file its flags.
#include <type_traits>

#include "cpu/kernels.h"
// clang-format off: each builds on the ones before.
#include "cpu/vec_avx512.h"
#include "cpu/math-inl.h"
#include "cpu/tiles-inl.h"
#include "cpu/pairs-inl.h"
#include "cpu/bf16-inl.h"
#include "cpu/elementwise-inl.h"
#include "cpu/cells-inl.h"
#include "cpu/peak-inl.h"
#include "cpu/kernel-table-inl.h"
// clang-format on

namespace slm {

constexpr Kernels kAvx512Bf16Kernels = make_kernels("avx512_bf16", /*rounds_to_bf16=*/true);

}  // namespace slm
