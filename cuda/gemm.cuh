#pragma once
// Matrix products, the only use of cuBLAS. Matrices are row-major and float32; products of two
// floats may be rounded to less, sums are float32.
#include <mutex>

#include "load_cublas.h"
#include "memory.cuh"

namespace slm {

enum class Op { none, transpose };

struct Matrix {
  const float* data;
  int64_t stride;  // floats from row to row, as it is stored
  Op op = Op::none;
};

enum class Precision { float32, tf32, bf16 };

// Matrix products on one stream, from any thread. What a thread calls during a capture becomes part
// of the graph.
class Gemm {
 public:
  explicit Gemm(const Stream& stream, Precision precision = Precision::float32);

  // C (m, n) ← op(A) op(B) + beta C, where op(A) is (m, k) and op(B) is (k, n). Where beta is 0, C
  // is not read.
  void operator()(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
                  int64_t stride_c) const;
  // C ← op(A) op(B) in float32, whatever the precision of the other products.
  void exact(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t stride_c) const;
  // `count` products of the first kind; strides are floats from one A, B, C to the next, 0 for the
  // same A or B.
  void batched(int64_t count, int64_t m, int64_t n, int64_t k, Matrix a, int64_t next_a, Matrix b,
               int64_t next_b, float beta, float* c, int64_t stride_c, int64_t next_c) const;

 private:
  void multiply(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
                int64_t stride_c, int type) const;
  // A product of depth 0, which cuBLAS is not specified to accept.
  void scale(int64_t count, int64_t m, int64_t n, float beta, float* c, int64_t stride_c,
             int64_t next_c) const;
  // Sets the handle's stream to the one that this thread launches on.
  void use_stream() const;
  void check(int status, const char* what) const;

  const Cublas& cublas_;
  const Stream& stream_;
  const int compute_type_;
  mutable DeviceArray<char> workspace_;
  mutable std::mutex mutex_;  // for handle_
  std::unique_ptr<void, int (*)(Cublas::Handle)> handle_;
  mutable cudaStream_t used_ = nullptr;  // stream of the handle
};

}  // namespace slm
