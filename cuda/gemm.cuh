#pragma once
// Products of matrices: the only door to cuBLAS. Matrices are row-major and float32; products of
// two floats may be less precise, sums are float32.
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

// On one stream. May be used from several threads, whose products follow each other. What a thread
// calls while it records becomes part of the graph.
class Gemm {
 public:
  explicit Gemm(const Stream& stream, Precision precision = Precision::float32);

  // C (m, n) ← op(A) op(B) + beta C, where op(A) is (m, k) and op(B) is (k, n). Where beta is 0, C
  // is not read.
  void operator()(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
                  int64_t stride_c) const;
  // C ← op(A) op(B) with float32's precision, whatever the others have.
  void exact(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t stride_c) const;
  // `count` of the first, with so many floats from one A, B, C to the next; the same A or B where
  // 0.
  void batched(int64_t count, int64_t m, int64_t n, int64_t k, Matrix a, int64_t next_a, Matrix b,
               int64_t next_b, float beta, float* c, int64_t stride_c, int64_t next_c) const;

 private:
  void multiply(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
                int64_t stride_c, int type) const;
  // An empty sum of products, which cuBLAS does not promise to take.
  void scale(int64_t count, int64_t m, int64_t n, float beta, float* c, int64_t stride_c,
             int64_t next_c) const;
  // Gives the handle the stream that this thread's work goes to.
  void use_stream() const;
  void check(int status, const char* what) const;

  const Cublas& cublas_;
  const Stream& stream_;
  const int compute_type_;
  mutable DeviceArray<char> workspace_;
  mutable std::mutex mutex_;  // for handle_
  std::unique_ptr<void, int (*)(Cublas::Handle)> handle_;
  mutable cudaStream_t used_ = nullptr;  // the handle's
};

}  // namespace slm
