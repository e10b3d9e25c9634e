#pragma once
// The few functions of cuBLAS that gemm.cu calls, with prototypes of our own: cuBLAS is loaded when
// the first backend is made, so that slm is built and imported without it.
#include <cstddef>
#include <vector>

struct CUstream_st;

namespace slm {

// Values of its enumerations. They have been the same since CUDA 11.
namespace cublas {
constexpr int kSuccess = 0, kNotInitialized = 1, kInvalidValue = 7, kExecutionFailed = 13;
constexpr int kNone = 0, kTranspose = 1;  // operations
constexpr int kFloat32 = 0;               // a type of data
constexpr int kComputeFloat32 = 68;       // types of computation ...
constexpr int kComputeBf16 = 75;          // ... whose factors may be rounded to bfloat16
constexpr int kComputeTf32 = 77;          // ... or to TF32
constexpr int kDefaultAlgorithm = -1;
}  // namespace cublas

// Every function but the last returns a status.
struct Cublas {
  using Handle = void*;
  using Stream = CUstream_st*;

  int (*create)(Handle*);
  int (*destroy)(Handle);
  int (*set_stream)(Handle, Stream);
  int (*set_workspace)(Handle, void* memory, size_t bytes);
  // Column-major: C (m, n) ← alpha op(A) op(B) + beta C.
  int (*gemm)(Handle, int op_a, int op_b, int m, int n, int k, const void* alpha, const void* a,
              int type_a, int lda, const void* b, int type_b, int ldb, const void* beta, void* c,
              int type_c, int ldc, int compute_type, int algorithm);
  int (*gemm_batched)(Handle, int op_a, int op_b, int m, int n, int k, const void* alpha,
                      const void* a, int type_a, int lda, long long next_a, const void* b,
                      int type_b, int ldb, long long next_b, const void* beta, void* c, int type_c,
                      int ldc, long long next_c, int count, int compute_type, int algorithm);
  const char* (*status_name)(int status);
};

// Loaded on the first call, version 13 or 12, from where the dynamic linker looks. The Python
// module tells it to look beside itself too, where the wheel nvidia-cublas is (cmake/python.cmake).
// Throws Error(device) where there is none.
const Cublas& use_cublas();

// From the first of these libraries that is there.
Cublas load_cublas(const std::vector<const char*>& names);

}  // namespace slm
