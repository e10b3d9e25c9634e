#pragma once
// For tests of kernels: runs something with every instruction set that this CPU has.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "check.h"
#include "cpu/isa.h"
#include "random.h"

namespace check {

using KernelSets = std::vector<const slm::Kernels*>;

// The largest |a - b|, less what `relative` times |b| allows.
template <class Expected>
double largest_difference(const Floats& a, const Expected& b, double relative) {
  if (a.size() != b.size()) return HUGE_VAL;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double right = double{b[i]};
    const double difference = std::abs(double{a[i]} - right) - relative * std::abs(right);
    if (std::isnan(difference)) return difference;
    if (difference > largest) largest = difference;
  }
  return largest;
}

// Runs `f`, which returns floats, with each kernel set: all near `expected`, and the vector sets
// the same to the bit.
template <class Expected, class F>
void compare_with(const char* what, const Expected& expected, double tolerance, double relative,
                  const KernelSets& sets, const F& f) {
  Floats first_vector;
  for (const slm::Kernels* kernels : sets) {
    const Floats got = f(*kernels);
    const double difference = largest_difference(got, expected, relative);
    if (!(difference <= tolerance))
      std::fprintf(stderr, "%s with %s is %g off: ", what, kernels->name, difference);
    CHECK(difference <= tolerance);
    if (kernels == &slm::kScalarKernels) continue;
    if (first_vector.empty()) first_vector = got;
    const size_t bytes = got.size() * sizeof(float);
    const bool same = bytes == 0 || std::memcmp(got.data(), first_vector.data(), bytes) == 0;
    if (!same) std::fprintf(stderr, "%s with %s: ", what, kernels->name);
    CHECK(same);
  }
}

template <class F>
void compare(const char* what, double tolerance, const F& f) {
  compare_with(what, f(slm::kScalarKernels), tolerance, 0, slm::available_kernels(), f);
}

}  // namespace check
