#pragma once
// Comparisons of the CUDA backend with the CPU's. The same tests run
// on the CPU through emulate.h and, in a build with CUDA, on a device (gpu/).
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "backend.cuh"
#include "check.h"
#include "cpu/cpu_backend.h"
#include "cpu/isa.h"
#include "random.h"

// Between the two backends, by this test so far.
inline int64_t values_compared = 0;

// The largest of the differences, or NaN where there is one. A difference is divided by `scale` of
// the expected value.
template <class Scale>
double worst_difference(const Floats& a, const Floats& expected, const Scale& scale) {
  double worst = a.size() == expected.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), expected.size()) && !std::isnan(worst); ++i) {
    const double difference = std::abs(double{a[i]} - double{expected[i]}) / scale(expected[i]);
    if (!(difference <= worst)) worst = difference;
  }
  values_compared += static_cast<int64_t>(a.size());
  return worst;
}

inline void check_same_bits(const Floats& cuda, const Floats& cpu) {
  CHECK(same_bits(cuda, cpu));
  values_compared += static_cast<int64_t>(cuda.size());
}

// To the bit, but for the CPU's plain kernels: they fuse no multiply-adds, so they differ in
// rounding.
inline void check_same(const Floats& a, const Floats& b) {
  if (slm::isa_name() != "scalar") CHECK(same_bits(a, b));
  CHECK_NEAR(worst_difference(a, b, [](double x) { return 1 + std::abs(x); }), 0, 1e-5);
}

// To 1e-4 of the largest value.
inline void check_close(const Floats& a, const Floats& b) {
  double largest = 0;
  for (const float value : b) largest = std::max(largest, std::abs(double{value}));
  CHECK_NEAR(worst_difference(a, b, [](double) { return 1.0; }), 0, 1e-4 * largest);
}

// The values of one tensor, of all values in the order of the table.
inline Floats part_of(const Floats& values, const slm::Tensor& tensor) {
  const auto begin = values.begin() + tensor.offset;
  return {begin, begin + tensor.info.size};
}

inline Floats read_all(const slm::Backend& backend, const slm::Buffer& buffer) {
  Floats values(static_cast<size_t>(buffer.size()));
  backend.read(buffer, 0, buffer.size(), values.data());
  return values;
}

inline Floats read_gradients(const slm::Backend& backend, const slm::Gradients& gradients,
                             const slm::TensorTable& table) {
  Floats values(static_cast<size_t>(table.num_parameters()));
  backend.read_gradients(gradients, values.data());
  return values;
}

// To or from the device, or between parts of either memory, when all work is done.
template <class T>
void copy_values(const T* from, int64_t count, T* to) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(T);
  slm::cuda_check(cudaDeviceSynchronize(), "finish its work");
  slm::cuda_check(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), "copy memory");
  slm::cuda_check(cudaDeviceSynchronize(), "finish its work");
}

// Sets the gradients of all that is not an n-gram table, from number `first` on.
inline void set_dense(slm::Gradients& gradients, const Floats& values, int64_t first = 0) {
  auto* on_cpu = dynamic_cast<slm::CpuGradients*>(&gradients);
  float* to = on_cpu != nullptr ? on_cpu->dense.get()
                                : dynamic_cast<slm::CudaGradients&>(gradients).values.get();
  copy_values(values.data(), static_cast<int64_t>(values.size()), to + first);
}

inline std::unique_ptr<slm::Buffer> make_buffer(const slm::Backend& backend, const Floats& values) {
  auto buffer = backend.make_buffer(static_cast<int64_t>(values.size()));
  backend.write(values.data(), buffer->size(), *buffer, 0);
  return buffer;
}

// End main with it: says how many values were compared, then as test_result does.
inline int comparison_result() {
  std::printf("%lld values compared with the CPU\n", static_cast<long long>(values_compared));
  return test_result();
}
