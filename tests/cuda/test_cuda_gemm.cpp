// Products of matrices against sums written out here: all operations, strides wider than rows,
// empty sizes, batches, precisions, graphs, threads. What lies between rows is not touched.
#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "check.h"
#include "gemm.cuh"

namespace {

using Floats = std::vector<float>;
using slm::Matrix;
using slm::Op;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// `count` matrices of random numbers, with NaN between rows and matrices.
struct Stored {
  Stored(int64_t number, int64_t height, int64_t row_size, uint32_t seed)
      : rows(height), width(row_size), stride(width + 3), next(rows * stride + 5), count(number) {
    values.assign(static_cast<size_t>(count * next), kNan);
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t j = 0; j < width; ++j) (*this)(i, r, j) = uniform(random);
  }
  float& operator()(int64_t i, int64_t r, int64_t j) {
    return values[static_cast<size_t>(i * next + r * stride + j)];
  }

  int64_t rows, width, stride, next, count;
  Floats values;
};

// On the device.
class Copy {
 public:
  Copy(const slm::Stream& stream, const Floats& values)
      : stream_(stream), size_(values.size()), values_(stream, static_cast<int64_t>(size_)) {
    copy(values.data(), values_.get(), cudaMemcpyHostToDevice);
  }
  float* get() { return values_.get(); }
  Matrix matrix(int64_t stride, Op op = Op::none) const { return {values_.get(), stride, op}; }
  Floats read() const {
    Floats values(size_);
    copy(values_.get(), values.data(), cudaMemcpyDeviceToHost);
    return values;
  }

 private:
  void copy(const float* from, float* to, cudaMemcpyKind kind) const {
    slm::cuda_check(cudaMemcpyAsync(to, from, size_ * sizeof(float), kind, stream_), "copy");
    slm::cuda_check(cudaStreamSynchronize(stream_), "copy");
  }

  const slm::Stream& stream_;
  const size_t size_;
  slm::DeviceArray<float> values_;
};

Floats random_floats(int64_t size, uint32_t seed) {
  Stored stored(1, 1, size, seed);
  stored.values.resize(static_cast<size_t>(size));
  return stored.values;
}

float at(Stored& matrix, Op op, int64_t i, int64_t r, int64_t j) {
  return op == Op::none ? matrix(i, r, j) : matrix(i, j, r);
}

Stored factor(int64_t count, int64_t rows, int64_t width, Op op, uint32_t seed) {
  return op == Op::none ? Stored(count, rows, width, seed) : Stored(count, width, rows, seed);
}

// Whether values that both have agree, and neither has others.
bool close(const Floats& a, const Floats& b, double tolerance) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return false;
    if (std::abs(double{a[i]} - double{b[i]}) > tolerance) return false;
  }
  return a.size() == b.size();
}

struct Sizes {
  int64_t count, m, n, k;
};

// The one product, where count is 1, and the batch; `shared` lets all of a batch have the first A.
void test_product(const slm::Stream& stream, const slm::Gemm& gemm, const Sizes& size, Op op_a,
                  Op op_b, float beta, bool shared) {
  const auto [count, m, n, k] = size;
  Stored a = factor(count, m, k, op_a, 1), b = factor(count, k, n, op_b, 2);
  Stored c(count, m, n, 3);
  if (beta == 0)  // C is not read
    for (int64_t i = 0; i < count * m * n; ++i) c(i / (m * n), i / n % m, i % n) = kNan;
  Stored expected = c;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t r = 0; r < m; ++r)
      for (int64_t j = 0; j < n; ++j) {
        double sum = beta == 0 ? 0 : double{beta} * double{expected(i, r, j)};
        for (int64_t l = 0; l < k; ++l)
          sum += double{at(a, op_a, shared ? 0 : i, r, l)} * double{at(b, op_b, i, l, j)};
        expected(i, r, j) = static_cast<float>(sum);
      }
  const Copy a_copy(stream, a.values), b_copy(stream, b.values);
  const Matrix a_there = a_copy.matrix(a.stride, op_a), b_there = b_copy.matrix(b.stride, op_b);
  Copy batch(stream, c.values), one(stream, c.values);
  gemm.batched(count, m, n, k, a_there, shared ? 0 : a.next, b_there, b.next, beta, batch.get(),
               c.stride, c.next);
  CHECK(close(batch.read(), expected.values, 1e-5));
  if (count != 1) return;
  gemm(m, n, k, a_there, b_there, beta, one.get(), c.stride);
  CHECK(close(one.read(), expected.values, 1e-5));
}

void test_products() {
  const slm::Stream stream;
  const slm::Gemm gemm(stream);
  const Sizes all_sizes[] = {{1, 1, 1, 1}, {1, 5, 3, 7}, {3, 2, 9, 4}, {1, 3, 4, 0},   {2, 3, 2, 0},
                             {1, 0, 4, 3}, {1, 4, 0, 3}, {0, 4, 4, 3}, {2, 17, 33, 20}};
  for (const Sizes& size : all_sizes)
    for (const Op op_a : {Op::none, Op::transpose})
      for (const Op op_b : {Op::none, Op::transpose})
        for (const float beta : {0.0f, 1.0f, -0.5f})
          for (const bool shared : {false, true})
            test_product(stream, gemm, size, op_a, op_b, beta, shared);
}

// Rounded to 11 or 8 bits, factors are off by at most 2^-12 or 2^-9 of themselves.
void test_precisions() {
  const slm::Stream stream;
  const int64_t n = 64;
  const Copy a(stream, random_floats(n * n, 1)), b(stream, random_floats(n * n, 2));
  const auto product = [&](slm::Precision precision) {
    Copy c(stream, Floats(static_cast<size_t>(n * n)));
    slm::Gemm(stream, precision)(n, n, n, a.matrix(n), b.matrix(n), 0, c.get(), n);
    return c.read();
  };
  const Floats exact = product(slm::Precision::float32);
  const Floats tf32 = product(slm::Precision::tf32), bf16 = product(slm::Precision::bf16);
  CHECK(close(tf32, exact, n * 2 / 4096.0));
  CHECK(!close(tf32, exact, 1e-4));
  CHECK(close(bf16, exact, n * 2 / 512.0));
  CHECK(!close(bf16, exact, 2e-3));
}

void test_graph() {
  const slm::Stream stream;
  const slm::Gemm gemm(stream);
  const Copy a(stream, random_floats(24, 1)), b(stream, random_floats(30, 2));
  Copy c(stream, Floats(20)), expected(stream, Floats(20));
  gemm(4, 5, 6, a.matrix(6), b.matrix(5), 0, expected.get(), 5);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  slm::cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capture");
  gemm(4, 5, 6, a.matrix(6), b.matrix(5), 0, c.get(), 5);
  slm::cuda_check(cudaStreamEndCapture(stream, &graph), "capture");
  slm::cuda_check(cudaGraphInstantiate(&exec, graph, 0), "make a graph");
  CHECK(c.read() == Floats(20));
  slm::cuda_check(cudaGraphLaunch(exec, stream), "run a graph");
  CHECK(c.read() == expected.read());
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
}

// Each adds to a matrix of its own.
void test_threads() {
  const slm::Stream stream;
  const slm::Gemm gemm(stream);
  const Copy a(stream, random_floats(18, 1)), b(stream, random_floats(30, 2));
  const auto multiply = [&](Copy& c) {
    for (int i = 0; i < 20; ++i) gemm(3, 5, 6, a.matrix(6), b.matrix(5), 1, c.get(), 5);
  };
  Copy alone(stream, Floats(15)), first(stream, Floats(15)), second(stream, Floats(15));
  multiply(alone);
  std::thread thread([&] { multiply(first); });
  multiply(second);
  thread.join();
  CHECK(alone.read() != Floats(15));
  CHECK(first.read() == alone.read());
  CHECK(second.read() == alone.read());
}

void test_errors() {
  const slm::Stream stream;
  const slm::Gemm gemm(stream);
  Copy values(stream, Floats(64));
  const Matrix wide = values.matrix(4), narrow = values.matrix(3);
  const auto fails = [&](int64_t m, Matrix a, Matrix b, int64_t stride_c, const char* sentence) {
    CHECK_THROWS(slm::ErrorKind::device, sentence, gemm(m, 4, 4, a, b, 0, values.get(), stride_c));
  };
  fails(4, narrow, wide, 4, "cannot multiply matrices: an unsupported value");
  fails(4, wide, narrow, 4, "cannot multiply matrices: an unsupported value");
  fails(4, wide, wide, 3, "cannot multiply matrices: an unsupported value");
  fails(int64_t{1} << 31, wide, wide, 4,
        "size of a matrix product on the CUDA device is 2147483648");
}

}  // namespace

int main() {
  test_products();
  test_precisions();
  test_graph();
  test_threads();
  test_errors();
  return test_result();
}
