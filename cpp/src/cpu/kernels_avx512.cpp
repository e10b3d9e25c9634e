// The kernels compiled for one instruction set; CMake gives this file its flags.
#include <type_traits>

#include "cpu/kernels.h"
// clang-format off: each builds on the ones before.
#include "cpu/vec_avx512.h"
#include "cpu/math-inl.h"
#include "cpu/tiles-inl.h"
#include "cpu/matmul-inl.h"
#include "cpu/elementwise-inl.h"
#include "cpu/cells-inl.h"
#include "cpu/peak-inl.h"
// clang-format on

namespace slm {

const Kernels kAvx512Kernels = {
    "avx512",        packed_size,   pack,           matmul,          gemm_tn,      swish_forward,
    swish_backward,  gated_forward, gated_backward, rms_forward,     rms_backward, swiglu_forward,
    swiglu_backward, bias_grad,     drop,           rowwise_rmsprop, softmax_loss, add,
    sum_squares,     adamw,         fma_loop,       read_loop};

}  // namespace slm
