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
// clang-format on

namespace slm {

const Kernels kAvx512Bf16Kernels = {
    "avx512_bf16",   packed_size,   pack,           matmul,          gemm_tn,      swish_forward,
    swish_backward,  gated_forward, gated_backward, rms_forward,     rms_backward, swiglu_forward,
    swiglu_backward, bias_grad,     drop,           rowwise_rmsprop, softmax_loss, add,
    sum_squares,     adamw,         fma_loop,       read_loop};

}  // namespace slm
