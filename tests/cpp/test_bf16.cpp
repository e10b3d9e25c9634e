// precision "bf16": its kernels against sums in double of operands rounded here, at sizes with
// every tail; its gradients against those of float32; and what happens where it cannot be had.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "check.h"
#include "cpu/isa.h"
#include "numerics/philox.h"
#include "random.h"
#include "slm/slm.h"

namespace {

using slm::ErrorKind;
using slm::Kernels;
using slm::Model;

// The upper half of a float's bits, to the nearest, ties to even.
double rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
  std::memcpy(&x, &bits, sizeof x);
  return double{x};
}

// A sum of products of rounded operands, and of their absolute values.
struct Sum {
  double value = 0, size = 0;
  void add(float a, float b) {
    value += rounded(a) * rounded(b);
    size += std::abs(rounded(a) * rounded(b));
  }
};

void test_matmul(const Kernels& kernels, int64_t outer, int64_t inner, int64_t depth,
                 int64_t cols) {
  const int64_t rows = outer * inner;
  const Floats x = random_floats(rows * depth, 1), w = random_floats(depth * cols, 2);
  const Floats before = random_floats(rows * cols, 3);
  Floats packed(static_cast<size_t>(kernels.packed_size(depth, cols)));
  for (const bool transposed : {false, true})
    for (const bool accumulate : {false, true}) {
      const int64_t sparse = transposed ? 1 : cols, by_col = transposed ? depth : 1;
      kernels.pack(w.data(), sparse, by_col, depth, cols, packed.data());
      Floats y = before;
      kernels.matmul({outer, inner}, {x.data(), inner * depth, depth}, {packed.data(), depth, cols},
                     {y.data(), inner * cols, cols}, accumulate);
      double worst = 0;
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t n = 0; n < cols; ++n) {
          Sum sum;
          for (int64_t k = 0; k < depth; ++k)
            sum.add(x[size_t(r * depth + k)], w[size_t(k * sparse + n * by_col)]);
          const auto at = size_t(r * cols + n);
          if (accumulate) sum.value += double{before[at]};
          worst = std::max(worst, std::abs(double{y[at]} - sum.value) / (1 + sum.size));
        }
      CHECK_NEAR(worst, 0, 2e-6);
    }
}

void test_outer_sum(const Kernels& kernels, int64_t depth, int64_t rows, int64_t cols) {
  const Floats dy = random_floats(depth * rows, 4), x = random_floats(depth * cols, 5);
  const Floats before = random_floats(rows * cols, 6);
  Floats dw = before;
  kernels.gemm_tn(dy.data(), rows, x.data(), cols, depth, dw.data(), cols, rows, cols);
  double worst = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      Sum sum;
      for (int64_t r = 0; r < depth; ++r)
        sum.add(dy[size_t(r * rows + i)], x[size_t(r * cols + j)]);
      const auto at = size_t(i * cols + j);
      sum.value += double{before[at]};
      worst = std::max(worst, std::abs(double{dw[at]} - sum.value) / (1 + sum.size));
    }
  CHECK_NEAR(worst, 0, 2e-6);
}

// A row's bits do not depend on which others it is computed with.
void test_rows_alone(const Kernels& kernels, int64_t depth) {
  constexpr int64_t kOuter = 5, kInner = 9, kRows = kOuter * kInner, kCols = 70;
  const Floats x = random_floats(kRows * depth, 1), w = random_floats(depth * kCols, 2);
  Floats packed(static_cast<size_t>(kernels.packed_size(depth, kCols)));
  kernels.pack(w.data(), kCols, 1, depth, kCols, packed.data());
  for (const bool accumulate : {false, true}) {
    const Floats before = random_floats(kRows * kCols, 3);
    const auto product = [&](int64_t outer, int64_t inner, int64_t first, Floats& y) {
      kernels.matmul({outer, inner}, {x.data() + first * depth, kInner * depth, depth},
                     {packed.data(), depth, kCols},
                     {y.data() + first * kCols, kInner * kCols, kCols}, accumulate);
    };
    Floats whole = before, by_inner = before, alone = before;
    product(kOuter, kInner, 0, whole);
    product(kOuter, 4, 0, by_inner);
    product(kOuter, 5, 4, by_inner);
    for (int64_t r = 0; r < kRows; ++r) product(1, 1, r, alone);
    CHECK(by_inner == whole);
    CHECK(alone == whole);
  }
}

void test_kernels(const Kernels& kernels) {
  for (const int64_t depth : {31, 70, 515}) test_rows_alone(kernels, depth);
  for (const int64_t cols : {1, 15, 16, 17, 31, 32, 33, 100, 130})
    for (const int64_t depth : {1, 2, 5, 31, 32, 33, 256, 257, 300, 515}) {
      for (const auto& [outer, inner] : {std::pair{1, 1}, {3, 5}, {2, 13}, {29, 1}, {5, 9}})
        test_matmul(kernels, outer, inner, depth, cols);
      for (const int64_t rows : {1, 7, 25, 61}) test_outer_sum(kernels, depth, rows, cols);
    }
}

slm::Config small_config() {
  slm::Config config;
  config.embed_dim = 24;
  config.state_dim = 37;
  config.num_layers = 3;
  return config;
}

Model make_model(const char* precision, int threads = 2,
                 const slm::Config& config = small_config()) {
  slm::ModelOptions options;
  options.threads = threads;
  options.precision = precision;
  return Model(config, options);
}

struct Result {
  float loss;
  Floats gradients;
};

Result gradients(const Model& model, int64_t batch_size = 7) {
  constexpr int64_t kSteps = 150;
  const slm::Philox random(7, slm::PhiloxStream::window);
  std::vector<uint8_t> bytes(static_cast<size_t>(kSteps * batch_size + 1));
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(random.below(256, i));
  Result result{0, Floats(static_cast<size_t>(model.num_parameters()))};
  result.loss = model.gradients(bytes.data(), bytes.data() + 1, kSteps, batch_size, nullptr,
                                result.gradients.data());
  return result;
}

void test_gradients_are_near_those_of_float32() {
  const Model exact_model = make_model("float32");
  const Result exact = gradients(exact_model), got = gradients(make_model("bf16"));
  CHECK_NEAR(got.loss, exact.loss, 2e-3);
  CHECK(got.gradients != exact.gradients);
  size_t at = 0;
  for (const slm::TensorInfo& tensor : exact_model.tensors()) {
    float largest = 0, difference = 0;
    for (int64_t i = 0; i < tensor.size; ++i, ++at) {
      largest = std::max(largest, std::abs(exact.gradients[at]));
      difference = std::max(difference, std::abs(got.gradients[at] - exact.gradients[at]));
    }
    if (!(difference <= 3e-2f * largest)) std::fprintf(stderr, "%s: ", tensor.name.c_str());
    CHECK_NEAR(difference / largest, 0, 3e-2);
  }
}

// Sizes that fill tiles and such that do not, in batches that are cut into shards, or by rows, or
// neither.
void test_threads_do_not_change_a_bit() {
  slm::Config even = small_config(), gated;
  even.embed_dim = even.state_dim = 64;
  gated = even;
  gated.cell = slm::Cell::gated;
  for (const slm::Config& config : {small_config(), even, gated})
    for (const int64_t batch_size : {7, 13, 32}) {
      const Result one = gradients(make_model("bf16", 1, config), batch_size);
      for (const int threads : {2, 5}) {
        const Result many = gradients(make_model("bf16", threads, config), batch_size);
        CHECK_EQ(many.loss, one.loss);
        CHECK(many.gradients == one.gradients);
      }
    }
}

}  // namespace

int main() {
  for (const char* precision : {"", "bf17", "BF16", "float64"})
    CHECK_THROWS(ErrorKind::config, "precision is \"", make_model(precision));
  CHECK_EQ(make_model("float32").precision(), "float32");
  CHECK_EQ(make_model("auto").precision(), slm::bf16_is_faster() ? "bf16" : "float32");
  const auto available = slm::available_kernels();
  const Kernels* kernels = slm::bf16_kernels();
  const auto rounding = slm::available_bf16_kernels();
  for (const Kernels* each : rounding)
    CHECK(std::find(available.begin(), available.end(), each) == available.end());
  if (kernels == nullptr) {
    CHECK(!slm::bf16_is_faster());
    CHECK_THROWS(ErrorKind::device, "AVX512-BF16", make_model("bf16"));
    return test_result();
  }
  CHECK_EQ(make_model("bf16").precision(), "bf16");
  CHECK(kernels == rounding.back());
  for (const Kernels* each : rounding) test_kernels(*each);
  test_gradients_are_near_those_of_float32();
  test_threads_do_not_change_a_bit();
  return test_result();
}
