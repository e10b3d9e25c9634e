#pragma once
// The table of the kernels above it. Included last per instruction set. Entries are named, since
// many have the same type.
#include "cpu/kernels.h"

namespace slm {
namespace {

constexpr Kernels make_kernels(const char* name, bool rounds_to_bf16) {
  Kernels table{};
  table.name = name;
  table.rounds_to_bf16 = rounds_to_bf16;
  table.packed_size = packed_size;
  table.pack = pack;
  table.matmul = matmul;
  table.gemm_tn = gemm_tn;
  table.swish_forward = swish_forward;
  table.swish_backward = swish_backward;
  table.gated_forward = gated_forward;
  table.gated_backward = gated_backward;
  table.rms_forward = rms_forward;
  table.rms_backward = rms_backward;
  table.swiglu_forward = swiglu_forward;
  table.swiglu_backward = swiglu_backward;
  table.bias_grad = bias_grad;
  table.drop = drop;
  table.rowwise_rmsprop = rowwise_rmsprop;
  table.softmax_loss = softmax_loss;
  table.add = add;
  table.sum_squares = sum_squares;
  table.adamw = adamw;
  table.fma_loop = fma_loop;
  table.read_loop = read_loop;
  return table;
}

}  // namespace
}  // namespace slm
