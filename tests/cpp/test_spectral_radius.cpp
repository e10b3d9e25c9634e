// max_spectral_radius: after an update every A has a spectral radius of at most so much, on every
// instruction set and for any number of threads, and nothing else is touched.
#include <algorithm>
#include <cmath>
#include <limits>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "cpu/isa.h"
#include "model_impl.h"
#include "run_pass.h"
#include "slm/trainer.h"

namespace {

slm::Config dense(int64_t state_dim, int64_t num_layers = 1) {
  slm::Config config;
  config.embed_dim = 3;
  config.state_dim = state_dim;
  config.num_layers = num_layers;
  return config;
}

// The parameters after an update at rate 0, which changes nothing else. Every A is `a`, and the
// last gradient is `gradient`.
Floats updated(const slm::Config& config, const Floats& a, float max_spectral_radius,
               float gradient = 0, int threads = 1,
               const slm::Kernels& kernels = slm::active_kernels()) {
  const slm::TensorTable table(config);
  const slm::CpuBackend backend(threads, kernels);
  const auto weights = backend.make_weights(config, table);
  Floats values(static_cast<size_t>(table.num_parameters()), 0.25f);
  for (const slm::Tensor& tensor : table.tensors())
    if (tensor.is_recurrent) std::copy(a.begin(), a.end(), values.begin() + tensor.offset);
  backend.write(values.data(), table.num_parameters(), weights->flat(), 0);
  const auto grads = backend.make_gradients(config, table, 1);
  dynamic_cast<slm::CpuGradients&>(*grads).dense.get()[table.num_dense() - 1] = gradient;
  const auto m = backend.make_buffer(table.num_moments());
  const auto v = backend.make_buffer(table.num_moments());
  const auto report = backend.make_update_result(table, max_spectral_radius > 0);
  const slm::AdamWStep step = {0, 0.9f, 0.98f, 1e-8f, 0, 3, 0.1f, 0.02f, 0, max_spectral_radius};
  backend.update(*weights, *grads, *m, *v, table, step, *report);
  backend.read(weights->flat(), 0, table.num_parameters(), values.data());
  return values;
}

// The A of layer 0, checked to be alike in all layers, while all others are as they were.
Floats updated_a(const slm::Config& config, const Floats& a, float max_spectral_radius) {
  const slm::TensorTable table(config);
  const Floats all = updated(config, a, max_spectral_radius);
  Floats first;
  for (const slm::Tensor& tensor : table.tensors()) {
    const auto begin = all.begin() + tensor.offset;
    const Floats part(begin, begin + tensor.info.size);
    if (tensor.is_recurrent && first.empty()) first = part;
    CHECK(same_bits(part, tensor.is_recurrent ? first : Floats(part.size(), 0.25f)));
  }
  return first;
}

void check_scaled(const Floats& got, const Floats& a, double factor) {
  for (size_t i = 0; i < a.size(); ++i)
    CHECK_NEAR(got[i], factor * double{a[i]}, 2e-5 * std::abs(factor * double{a[i]}));
}

// Matrices whose bound is known. Of a rotation it is the factor times 2^(1/128).
void test_known_radius() {
  const Floats rotation = {1.6f, -1.2f, 1.2f, 1.6f};
  const double bound = 2 * std::pow(2, 1.0 / 128);
  check_scaled(updated_a(dense(2), rotation, 0.98f), rotation, 0.98 / bound);
  check_scaled(updated_a(dense(2, 3), rotation, 1.9f), rotation, 1.9 / bound);
  check_scaled(updated_a(dense(1), {-3.0f}, 0.5f), {-3.0f}, 0.5 / 3);
  check_scaled(updated_a(dense(1), {1e30f}, 0.5f), {1e30f}, 0.5 / 1e30);  // a square overflows
  const Floats diagonal = {4, 0, 0, 0, -0.5f, 0, 0, 0, 1};
  check_scaled(updated_a(dense(3), diagonal, 0.9f), diagonal, 0.9 / 4);
}

void test_left_alone() {
  const Floats rotation = {1.6f, -1.2f, 1.2f, 1.6f}, tiny(9, 1e-30f), zero(9, 0.0f);
  CHECK(same_bits(updated_a(dense(2), rotation, 0), rotation));      // no bound
  CHECK(same_bits(updated_a(dense(2), rotation, 2.02f), rotation));  // within it
  CHECK(same_bits(updated_a(dense(3), tiny, 0.1f), tiny));
  CHECK(same_bits(updated_a(dense(3), zero, 0.1f), zero));
  const Floats nilpotent = {0, 70, 80, 0, 0, 90, 0, 0, 0};  // all eigenvalues are 0
  CHECK(same_bits(updated_a(dense(3), nilpotent, 0.1f), nilpotent));
}

// ‖A^4096‖^(1/4096), in double.
double radius(const Floats& a, size_t n) {
  std::vector<double> x(a.begin(), a.end());
  double log_radius = 0;
  for (double share = 1;; share /= 2) {
    const double norm = std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
    log_radius += share * std::log(norm);
    if (share < 1.0 / 4096) return std::exp(log_radius);
    for (double& value : x) value /= norm;
    std::vector<double> square(n * n);
    for (size_t i = 0; i < n; ++i)
      for (size_t k = 0; k < n; ++k)
        for (size_t j = 0; j < n; ++j) square[i * n + j] += x[i * n + k] * x[k * n + j];
    x = square;
  }
}

Floats random_matrix(int64_t n, float largest) {
  const slm::Philox random(9, slm::PhiloxStream::init);
  Floats a(static_cast<size_t>(n * n));
  for (size_t i = 0; i < a.size(); ++i) a[i] = largest * (2 * random.uniform(i) - 1);
  return a;
}

void test_random(int64_t n) {
  const Floats a = random_matrix(n, 2);
  const Floats got = updated_a(dense(n), a, 0.9f);
  const double left = radius(got, static_cast<size_t>(n));
  CHECK(left <= 0.9);
  CHECK(left > 0.75);
  const Floats one = updated(dense(n), a, 0.9f);
  CHECK(same_bits(updated(dense(n), a, 0.9f, 0, 3), one));
  for (const slm::Kernels* kernels : slm::available_kernels()) {
    const Floats other = updated(dense(n), a, 0.9f, 0, 2, *kernels);
    for (size_t i = 0; i < one.size(); ++i) CHECK_NEAR(other[i], one[i], 1e-5);
  }
  // A bound that is rounded to bf16 would not be one.
  for (const slm::Kernels* bf16 : slm::available_bf16_kernels())
    CHECK(same_bits(updated(dense(n), a, 0.9f, 0, 2, *bf16), one));
}

void test_not_finite() {
  const Floats a = random_matrix(5, 9);
  const Floats all = updated(dense(5), a, 0.9f, std::numeric_limits<float>::quiet_NaN());
  CHECK(same_bits({all.begin() + 3 * 256, all.begin() + 3 * 256 + 25}, a));
}

// From an A far outside, on a state that is carried: every step leaves it within.
void test_trainer() {
  constexpr int64_t kSeqLen = 12, kBatch = 4;
  slm::Model model(dense(8, 2), {1, "cpu", 1});
  model.set_parameter("layers.1.A", random_matrix(8, 2).data(), 64);
  slm::TrainConfig how;
  how.max_spectral_radius = 0.95f;
  slm::Trainer trainer(model, how);
  slm::State state = model.new_state(kBatch);
  const Bytes bytes = random_bytes(kSeqLen * kBatch, 5);
  for (int step = 0; step < 20; ++step) {
    trainer.step(bytes.data(), bytes.data(), kSeqLen, kBatch, &state);
    for (const slm::Tensor& tensor : slm::impl_of(model).table.tensors()) {
      if (!tensor.is_recurrent) continue;
      Floats a(static_cast<size_t>(tensor.info.size));
      slm::impl_of(model).backend->read(slm::impl_of(model).weights->flat(), tensor.offset, 64,
                                        a.data());
      CHECK(radius(a, 8) <= 0.9501);
    }
  }
}

void test_gated_has_none() {
  slm::Model model(rich(), {1, "cpu", 1});
  slm::TrainConfig how;
  how.max_spectral_radius = 0.9f;
  CHECK_THROWS(slm::ErrorKind::config, "max_spectral_radius is above 0", slm::Trainer(model, how));
}

}  // namespace

int main() {
  test_known_radius();
  test_left_alone();
  for (const int64_t n : {7, 33, 130}) test_random(n);
  test_not_finite();
  test_trainer();
  test_gated_has_none();
  return test_result();
}
