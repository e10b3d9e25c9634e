// The kernels compiled for one instruction set; CMake gives this file its flags.
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/vec_avx512.h"
// The order matters: each builds on the ones before.
#include "cpu/elementwise-inl.h"
#include "cpu/math-inl.h"
#include "cpu/matmul-inl.h"

namespace slm {

const Kernels kAvx512Kernels = {"avx512",  packed_size,   pack,           matmul,
                                outer_sum, swish_forward, swish_backward, softmax_loss,
                                add,       sum_squares,   adamw};

}  // namespace slm
