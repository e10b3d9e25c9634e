#include "plain_blas.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "load_cublas.h"

namespace {

namespace values = slm::cublas;

struct Handle {
  cudaStream_t stream = nullptr;
  void* workspace = nullptr;
};

// To the nearest with so many bits of mantissa, ties to even.
float round_to(float x, int bits) {
  if (std::isnan(x)) return x;
  uint32_t word;
  std::memcpy(&word, &x, sizeof word);
  const int lost = 23 - bits;
  const uint32_t half = (1u << (lost - 1)) - 1, odd = word >> lost & 1;
  word = (word + half + odd) >> lost << lost;
  std::memcpy(&x, &word, sizeof word);
  return x;
}

float factor(float x, int compute_type) {
  if (compute_type == values::kComputeBf16) return round_to(x, 7);
  return compute_type == values::kComputeTf32 ? round_to(x, 10) : x;
}

struct Product {
  int op_a, op_b, m, n, k;
  float alpha;
  const float* a;
  int lda;
  const float* b;
  int ldb;
  float beta;
  float* c;
  int ldc, compute_type;

  bool fits() const {
    const auto is_op = [](int op) { return op == values::kNone || op == values::kTranspose; };
    return is_op(op_a) && is_op(op_b) && m >= 0 && n >= 0 && k >= 0 && ldc >= m && ldc > 0 &&
           lda >= (op_a == values::kNone ? m : k) && lda > 0 &&
           ldb >= (op_b == values::kNone ? k : n) && ldb > 0 &&
           (compute_type == values::kComputeFloat32 || compute_type == values::kComputeBf16 ||
            compute_type == values::kComputeTf32);
  }

  float a_at(int64_t i, int64_t l) const {
    return factor(op_a == values::kNone ? a[i + l * lda] : a[l + i * lda], compute_type);
  }
  float b_at(int64_t l, int64_t j) const {
    return factor(op_b == values::kNone ? b[l + j * ldb] : b[j + l * ldb], compute_type);
  }

  void run() const {
    for (int64_t j = 0; j < n; ++j)
      for (int64_t i = 0; i < m; ++i) {
        float sum = 0;
        for (int64_t l = 0; l < k; ++l) sum += a_at(i, l) * b_at(l, j);
        float& out = c[i + j * ldc];
        out = alpha * sum + (beta == 0 ? 0 : beta * out);
      }
  }
};

int submit(void* any_handle, const Product& product, int64_t next_a, int64_t next_b, int64_t next_c,
           int count) {
  const auto* handle = static_cast<const Handle*>(any_handle);
  if (handle == nullptr) return values::kNotInitialized;
  if (!product.fits() || count < 0) return values::kInvalidValue;
  if (handle->workspace == nullptr)
    if (emulate::refuse_capture(handle->stream) != cudaSuccess) return values::kExecutionFailed;
  const cudaError_t code = emulate::submit(handle->stream, [=] {
    Product one = product;
    for (int64_t i = 0; i < count; ++i) {
      one.a = product.a + i * next_a;
      one.b = product.b + i * next_b;
      one.c = product.c + i * next_c;
      one.run();
    }
    return cudaSuccess;
  });
  return code == cudaSuccess ? values::kSuccess : values::kExecutionFailed;
}

bool all_float32(int a, int b, int c) {
  return a == values::kFloat32 && b == values::kFloat32 && c == values::kFloat32;
}

float value_of(const void* scalar) { return *static_cast<const float*>(scalar); }
const float* floats(const void* data) { return static_cast<const float*>(data); }

}  // namespace

int cublasCreate_v2(void** handle) {
  *handle = new Handle;
  return values::kSuccess;
}

int cublasDestroy_v2(void* handle) {
  if (handle == nullptr) return values::kNotInitialized;
  delete static_cast<Handle*>(handle);
  return values::kSuccess;
}

int cublasSetStream_v2(void* handle, CUstream_st* stream) {
  if (handle == nullptr) return values::kNotInitialized;
  *static_cast<Handle*>(handle) = {stream, nullptr};
  return values::kSuccess;
}

int cublasSetWorkspace_v2(void* handle, void* memory, size_t bytes) {
  if (handle == nullptr) return values::kNotInitialized;
  if (memory == nullptr || bytes == 0) return values::kInvalidValue;
  static_cast<Handle*>(handle)->workspace = memory;
  return values::kSuccess;
}

int cublasGemmEx(void* handle, int op_a, int op_b, int m, int n, int k, const void* alpha,
                 const void* a, int type_a, int lda, const void* b, int type_b, int ldb,
                 const void* beta, void* c, int type_c, int ldc, int compute_type, int algorithm) {
  return cublasGemmStridedBatchedEx(handle, op_a, op_b, m, n, k, alpha, a, type_a, lda, 0, b,
                                    type_b, ldb, 0, beta, c, type_c, ldc, 0, 1, compute_type,
                                    algorithm);
}

int cublasGemmStridedBatchedEx(void* handle, int op_a, int op_b, int m, int n, int k,
                               const void* alpha, const void* a, int type_a, int lda,
                               long long next_a, const void* b, int type_b, int ldb,
                               long long next_b, const void* beta, void* c, int type_c, int ldc,
                               long long next_c, int count, int compute_type, int algorithm) {
  if (!all_float32(type_a, type_b, type_c) || algorithm != values::kDefaultAlgorithm)
    return values::kInvalidValue;
  const Product product{op_a,
                        op_b,
                        m,
                        n,
                        k,
                        value_of(alpha),
                        floats(a),
                        lda,
                        floats(b),
                        ldb,
                        value_of(beta),
                        static_cast<float*>(c),
                        ldc,
                        compute_type};
  return submit(handle, product, next_a, next_b, next_c, count);
}

const char* cublasGetStatusString(int status) {
  switch (status) {
    case values::kSuccess:
      return "success";
    case values::kNotInitialized:
      return "the library was not initialized";
    case values::kInvalidValue:
      return "an unsupported value or parameter was passed to the function";
    default:
      return "the function failed to launch on the GPU";
  }
}
