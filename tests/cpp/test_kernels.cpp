// Every instruction set that this CPU runs, against the plain kernels, at sizes with every tail;
// and bit for bit against each other where both have fused multiply-add.
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"
#include "compare_kernels.h"

namespace {

using check::compare;
using slm::Kernels;

void test_matmul(int64_t outer, int64_t inner, int64_t depth, int64_t cols) {
  const int64_t rows = outer * inner;
  const Floats x = random_floats(rows * depth, 1), w = random_floats(depth * cols, 2);
  for (const bool accumulate : {false, true})
    compare("matmul", 1e-5 * std::sqrt(static_cast<double>(depth)), [&](const Kernels& kernels) {
      Floats packed(static_cast<size_t>(kernels.packed_size(depth, cols)));
      kernels.pack(w.data(), cols, 1, depth, cols, packed.data());
      Floats y = random_floats(rows * cols, 3);
      kernels.matmul({outer, inner}, {x.data(), inner * depth, depth}, {packed.data(), depth, cols},
                     {y.data(), inner * cols, cols}, accumulate);
      return y;
    });
}

void test_outer_sum(int64_t depth, int64_t rows, int64_t cols) {
  const Floats dy = random_floats(depth * rows, 4), x = random_floats(depth * cols, 5);
  compare("gemm_tn", 1e-5 * std::sqrt(static_cast<double>(depth)), [&](const Kernels& kernels) {
    Floats dw = random_floats(rows * cols, 6);
    kernels.gemm_tn(dy.data(), rows, x.data(), cols, depth, dw.data(), cols, rows, cols);
    return dw;
  });
}

void test_elementwise(int64_t n) {
  const Floats h = random_floats(n, 7, -20, 20), d = random_floats(n, 8);
  compare("swish", 4e-6, [&](const Kernels& kernels) {
    Floats out(static_cast<size_t>(3 * n)), derivative = d;
    kernels.swish_forward(h.data(), out.data(), n);
    kernels.swish_backward(h.data(), out.data() + n, derivative.data(), n);
    std::memcpy(out.data() + 2 * n, derivative.data(), static_cast<size_t>(n) * sizeof(float));
    return out;
  });
  compare("add and sum_squares", 1e-5, [&](const Kernels& kernels) {
    Floats y = h;
    kernels.add(d.data(), y.data(), n);
    y.push_back(static_cast<float>(kernels.sum_squares(d.data(), n) / static_cast<double>(n)));
    return y;
  });
  compare("adamw", 2e-6, [&](const Kernels& kernels) {
    const slm::AdamWArgs args = {0.999f, 0.01f, 0.9f, 0.98f, 1e-8f, 2.0f, 0.5f};
    Floats w = h, g = d, m = random_floats(n, 9), v(d.size(), 0.25f);
    kernels.adamw(args, w.data(), g.data(), m.data(), v.data(), n);
    for (const Floats* part : {&g, &m, &v}) w.insert(w.end(), part->begin(), part->end());
    return w;
  });
}

void test_tables_are_complete() {
  check::KernelSets sets = slm::available_kernels();
  for (const Kernels* kernels : slm::available_bf16_kernels()) sets.push_back(kernels);
  constexpr size_t kFirst = offsetof(Kernels, packed_size);
  for (const Kernels* kernels : sets)
    for (size_t at = kFirst; at < sizeof(Kernels); at += sizeof(void (*)())) {
      void (*entry)() = nullptr;
      std::memcpy(&entry, reinterpret_cast<const char*>(kernels) + at, sizeof entry);
      CHECK(entry != nullptr);
    }
}

void test_sum_squares_of_large_values() {
  const Floats x(3000, 1e25f);
  for (const Kernels* kernels : slm::available_kernels())
    CHECK_NEAR(kernels->sum_squares(x.data(), 3000) / 3e53, 1, 1e-5);
}

void test_softmax_loss() {
  for (const float scale : {0.0f, 1.0f, 30.0f, 3000.0f}) {
    const Floats logits = random_floats(256, 10, -scale, scale);
    compare("softmax_loss", 1e-6 * (1 + scale), [&](const Kernels& kernels) {
      Floats out(257);
      out[256] = kernels.softmax_loss(logits.data(), 77, 1.0f, out.data());
      return out;
    });
  }
  for (const Kernels* kernels : slm::available_kernels())
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      for (const int at : {0, 100, 255}) {
        Floats logits(256, 0.0f);
        logits[static_cast<size_t>(at)] = bad;
        CHECK(!std::isfinite(kernels->softmax_loss(logits.data(), 3, 1.0f, nullptr)));
      }
    }
}

// swish(x) / x is the sigmoid: with it the exponential is swept over every magnitude of float.
void test_exp_over_the_float_range() {
  for (const Kernels* kernels : slm::available_kernels()) {
    double worst = 0;
    for (uint32_t bits = 0x2F800000; bits < 0x42AE0000; bits += 4999) {  // 2^-32 to 87
      for (const uint32_t sign : {0u, 0x80000000u}) {
        float x, s;
        const uint32_t pattern = bits | sign;
        std::memcpy(&x, &pattern, sizeof x);
        kernels->swish_forward(&x, &s, 1);
        const double exact = double{x} / (1.0 + std::exp(-double{x}));
        const double error = std::abs((double{s} - exact) / exact);
        if (!(error <= worst)) worst = error;
      }
    }
    CHECK_NEAR(worst, 0, 5e-7);
    const Floats extremes = {0.0f, 1e-45f, 1e4f, 3e38f, -1e4f, -3e38f};
    Floats s(extremes.size());
    kernels->swish_forward(extremes.data(), s.data(), static_cast<int64_t>(s.size()));
    CHECK_EQ(s[0], 0.0f);
    CHECK_EQ(s[2], 1e4f);
    CHECK_EQ(s[3], 3e38f);
    CHECK_NEAR(s[4], 0, 1e-30);
    CHECK_NEAR(s[5], 0, 10);  // 3e38 times the smallest sigmoid that is kept
  }
}

}  // namespace

int main() {
  test_tables_are_complete();
  for (const int64_t cols : {1, 7, 15, 16, 17, 31, 32, 33, 48, 100})
    for (const int64_t depth : {1, 5, 128, 129, 300}) {
      test_matmul(1, 1, depth, cols);
      test_matmul(3, 5, depth, cols);
      test_matmul(2, 13, depth, cols);
      test_matmul(29, 1, depth, cols);
      test_outer_sum(depth, 1, cols);
      test_outer_sum(depth, 7, cols);
      test_outer_sum(depth, 25, cols);
    }
  for (const int64_t n : {1, 7, 8, 15, 16, 17, 100, 1024, 3001}) test_elementwise(n);
  test_sum_squares_of_large_values();
  test_softmax_loss();
  test_exp_over_the_float_range();
  return test_result();
}
