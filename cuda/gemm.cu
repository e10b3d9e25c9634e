// Matrix products by cuBLAS, which is column-major: a row-major X, read column-major, is X
// transposed. So cuBLAS computes C^T ← op(B)^T op(A)^T + beta C^T: the same operations, with the
// factors and the sizes swapped.
#include "gemm.cuh"
#include "util/require.h"
namespace slm {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kWorkspaceBytes = 32 << 20;  // what cuBLAS recommends for the newest devices

int compute_type(Precision precision) {
  if (precision == Precision::tf32) return cublas::kComputeTf32;
  return precision == Precision::bf16 ? cublas::kComputeBf16 : cublas::kComputeFloat32;
}

int operation(const Matrix& matrix) {
  return matrix.op == Op::none ? cublas::kNone : cublas::kTranspose;
}

// The sizes of a window are limited by the memory to far less.
int to_int(int64_t size) {
  const Range<int64_t> range{0, INT32_MAX};
  if (!range.holds(size))
    refuse_value("the size of a matrix product on the CUDA device", number_text(size), range.text(),
                 ErrorKind::device);
  return static_cast<int>(size);
}

__global__ void scale_matrices(float beta, int64_t m, int64_t n, int64_t count, float* c,
                               int64_t stride_c, int64_t next_c) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= count * m * n) return;
  float& value = c[i / (m * n) * next_c + i / n % m * stride_c + i % n];
  value = beta == 0 ? 0 : beta * value;
}

}  // namespace

Gemm::Gemm(const Stream& stream, Precision precision)
    : cublas_(use_cublas()),
      stream_(stream),
      compute_type_(compute_type(precision)),
      workspace_(stream, kWorkspaceBytes),
      handle_(nullptr, cublas_.destroy) {
  Cublas::Handle handle = nullptr;
  check(cublas_.create(&handle), "start cuBLAS");
  handle_.reset(handle);
}

// In this order, since setting a stream resets the workspace. With cuBLAS's own workspace, a
// product that is captured would allocate.
void Gemm::use_stream() const {
  const cudaStream_t stream = stream_;
  if (stream == used_) return;
  check(cublas_.set_stream(handle_.get(), stream), "give cuBLAS a stream");
  check(cublas_.set_workspace(handle_.get(), workspace_.get(), kWorkspaceBytes),
        "give cuBLAS memory");
  used_ = stream;
}

void Gemm::operator()(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
                      int64_t stride_c) const {
  multiply(m, n, k, a, b, beta, c, stride_c, compute_type_);
}

void Gemm::exact(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c,
                 int64_t stride_c) const {
  multiply(m, n, k, a, b, 0, c, stride_c, compute_type(Precision::float32));
}

void Gemm::multiply(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float beta, float* c,
                    int64_t stride_c, int type) const {
  if (m == 0 || n == 0) return;
  if (k == 0) return scale(1, m, n, beta, c, stride_c, 0);
  const float alpha = 1;
  const std::lock_guard<std::mutex> lock(mutex_);
  use_stream();
  check(cublas_.gemm(handle_.get(), operation(b), operation(a), to_int(n), to_int(m), to_int(k),
                     &alpha, b.data, cublas::kFloat32, to_int(b.stride), a.data, cublas::kFloat32,
                     to_int(a.stride), &beta, c, cublas::kFloat32, to_int(stride_c), type,
                     cublas::kDefaultAlgorithm),
        "multiply matrices");
}

void Gemm::batched(int64_t count, int64_t m, int64_t n, int64_t k, Matrix a, int64_t next_a,
                   Matrix b, int64_t next_b, float beta, float* c, int64_t stride_c,
                   int64_t next_c) const {
  if (count == 0 || m == 0 || n == 0) return;
  if (k == 0) return scale(count, m, n, beta, c, stride_c, next_c);
  const float alpha = 1;
  const std::lock_guard<std::mutex> lock(mutex_);
  use_stream();
  check(cublas_.gemm_batched(handle_.get(), operation(b), operation(a), to_int(n), to_int(m),
                             to_int(k), &alpha, b.data, cublas::kFloat32, to_int(b.stride), next_b,
                             a.data, cublas::kFloat32, to_int(a.stride), next_a, &beta, c,
                             cublas::kFloat32, to_int(stride_c), next_c, to_int(count),
                             compute_type_, cublas::kDefaultAlgorithm),
        "multiply matrices");
}

void Gemm::scale(int64_t count, int64_t m, int64_t n, float beta, float* c, int64_t stride_c,
                 int64_t next_c) const {
  launch(stream_, num_blocks(count * m * n, kThreads), kThreads, scale_matrices, beta, m, n, count,
         c, stride_c, next_c);
}

void Gemm::check(int status, const char* what) const {
  if (status != cublas::kSuccess)
    throw Error(ErrorKind::device,
                std::string("the CUDA device cannot ") + what + ": " + cublas_.status_name(status));
}

}  // namespace slm
