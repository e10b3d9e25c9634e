#pragma once
// A stand-in for cuBLAS with its names, argument order and rules, made of plain loops: linked into
// the emulated tests, and made into a library that test_cublas loads.
//
// As cuBLAS does, it refuses sizes and strides that do not fit, loses the workspace when it gets a
// stream, and cannot be captured without one.
#include <cstddef>

extern "C" {
int cublasCreate_v2(void** handle);
int cublasDestroy_v2(void* handle);
int cublasSetStream_v2(void* handle, struct CUstream_st* stream);
int cublasSetWorkspace_v2(void* handle, void* memory, size_t bytes);
int cublasGemmEx(void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha,
                 const void* a, int type_a, int lda, const void* b, int type_b, int ldb,
                 const void* beta, void* c, int type_c, int ldc, int compute_type, int algorithm);
int cublasGemmStridedBatchedEx(void* handle, int op_a, int op_b, int m, int n, int k,
                               const void* alpha, const void* a, int type_a, int lda,
                               long long next_a, const void* b, int type_b, int ldb,
                               long long next_b, const void* beta, void* c, int type_c, int ldc,
                               long long next_c, int count, int compute_type, int algorithm);
const char* cublasGetStatusString(int status);
}
