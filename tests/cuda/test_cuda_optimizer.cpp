// AdamW on CUDA gives the bits of the CPU's vector kernels, and the gradient's norm is the CPU's up
// to rounding, and so is the bound of spectral radii. What is not finite changes nothing.
#include <cmath>
#include <limits>

#include "compare_backends.h"

namespace {

struct Training {
  Training(const slm::Backend& on, const slm::Config& config, const slm::TensorTable& of)
      : backend(on),
        table(of),
        weights(on.make_weights(config, table)),
        grads(on.make_gradients(config, table, 1 << 20)),
        report(on.make_update_result(table, true)) {
    const int64_t size = table.num_parameters();
    backend.write(random_floats(size, 1).data(), size, weights->flat(), 0);
    m = make_buffer(backend, random_floats(size, 2));
    v = make_buffer(backend, random_floats(size, 3, 0, 1));
  }

  slm::StepResult update(const slm::AdamWStep& step) {
    backend.update(*weights, *grads, *m, *v, table, step, *report);
    backend.params_changed(*weights);
    return backend.read_update_result(*report);
  }
  // All that an update changes.
  Floats everything() const {
    Floats all;
    for (const slm::Buffer* buffer : {&weights->flat(), m.get(), v.get()}) {
      const Floats values = read_all(backend, *buffer);
      all.insert(all.end(), values.begin(), values.end());
    }
    return all;
  }
  bool has_no_gradients() const {
    return same_bits(read_gradients(backend, *grads, table),
                     Floats(static_cast<size_t>(table.num_parameters())));
  }

  const slm::Backend& backend;
  const slm::TensorTable& table;
  std::unique_ptr<slm::Weights> weights;
  std::unique_ptr<slm::Gradients> grads;
  std::unique_ptr<slm::Buffer> m, v;
  const std::unique_ptr<slm::UpdateResult> report;
};

// The k-th, which clips to this norm.
slm::AdamWStep update_number(int k, float clip_norm, float max_spectral_radius = 0) {
  return {0.01f,
          0.9f,
          0.98f,
          1e-8f,
          0.05f,
          3.0f,
          static_cast<float>(1 - std::pow(0.9, k)),
          static_cast<float>(1 - std::pow(0.98, k)),
          clip_norm,
          max_spectral_radius};
}

void test_adamw(int64_t embed_dim, int64_t state_dim, int64_t num_layers) {
  slm::Config config;
  config.embed_dim = embed_dim;
  config.state_dim = state_dim;
  config.num_layers = num_layers;
  slm::TensorTable table(config);
  // One tensor without decay, so that there is more than one launch.
  const_cast<slm::Tensor&>(table.tensors()[1]).decay_scale = 0;
  const slm::CpuBackend cpu_backend(2);
  const slm::CudaBackend cuda_backend;
  Training cpu(cpu_backend, config, table), cuda(cuda_backend, config, table);
  // The last one alone is below the norm, by which it then goes: so that is to rounding.
  const float clip_norms[] = {0.0f, 1e6f, 0.3f};
  for (int k = 1; k <= 3; ++k) {
    const float clip_norm = clip_norms[k - 1];
    const Floats gradients = random_floats(table.num_dense(), 10 + static_cast<uint32_t>(k));
    for (Training* training : {&cpu, &cuda}) set_dense(*training->grads, gradients);
    const slm::StepResult on_cpu = cpu.update(update_number(k, clip_norm));
    const slm::StepResult on_cuda = cuda.update(update_number(k, clip_norm));
    CHECK(on_cpu.loss == 0 && on_cuda.loss == 0);
    CHECK(on_cpu.grad_norm > 0.3);
    CHECK_NEAR(on_cuda.grad_norm, on_cpu.grad_norm, 1e-6 * on_cpu.grad_norm);
    if (k < 3)
      check_same(cuda.everything(), cpu.everything());
    else
      check_close(cuda.everything(), cpu.everything());
    CHECK(cuda.has_no_gradients());
  }
}

// An update by a gradient that is not finite changes nothing, says so, and the next one is as if
// there had been none.
void test_not_finite(int64_t embed_dim, int64_t state_dim) {
  slm::Config config;
  config.embed_dim = embed_dim;
  config.state_dim = state_dim;
  const slm::TensorTable table(config);
  const slm::CpuBackend cpu_backend(2);
  const slm::CudaBackend cuda_backend;
  Training cpu(cpu_backend, config, table), cuda(cuda_backend, config, table);
  const Floats gradients = random_floats(table.num_dense(), 5), before = cpu.everything();
  for (Training* training : {&cpu, &cuda}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      set_dense(*training->grads, gradients);
      set_dense(*training->grads, {bad}, table.num_dense() - 1);
      CHECK(!training->update(update_number(1, 1.0f)).finite());
      CHECK(same_bits(training->everything(), before));
      CHECK(training->has_no_gradients());
    }
    set_dense(*training->grads, gradients);
    CHECK(training->update(update_number(1, 0)).finite());
    CHECK(!same_bits(training->everything(), before));
  }
  check_same(cuda.everything(), cpu.everything());
}

// The A of every layer is scaled down, of random values whose radius is far above; or left, where
// the bound is; or where the gradient is not finite.
void test_radius(int64_t state_dim) {
  slm::Config config;
  config.embed_dim = 7;
  config.state_dim = state_dim;
  config.num_layers = 2;
  const slm::TensorTable table(config);
  const slm::CpuBackend cpu_backend(2);
  const slm::CudaBackend cuda_backend;
  Training cpu(cpu_backend, config, table), cuda(cuda_backend, config, table);
  set_dense(*cuda.grads, {std::numeric_limits<float>::infinity()});
  CHECK(!cuda.update(update_number(1, 0, 0.5f)).finite());
  check_same(cuda.everything(), cpu.everything());
  for (const float max_spectral_radius : {1e6f, 0.98f, 0.3f}) {
    const Floats gradients = random_floats(table.num_dense(), 4);
    for (Training* training : {&cpu, &cuda}) {
      set_dense(*training->grads, gradients);
      CHECK(training->update(update_number(1, 0, max_spectral_radius)).finite());
    }
    const Floats on_cpu = cpu.everything(), on_cuda = cuda.everything();
    if (max_spectral_radius > 1)
      check_same(on_cuda, on_cpu);
    else
      for (const slm::Tensor& tensor : table.tensors())
        check_close(part_of(on_cuda, tensor), part_of(on_cpu, tensor));
    // Were it not scaled, the largest of so many values from -1 to 1 would be near 1.
    for (const slm::Tensor& tensor : table.tensors())
      if (tensor.is_recurrent && state_dim > 7) {
        const Floats a = part_of(on_cpu, tensor);
        const float largest = *std::max_element(a.begin(), a.end());
        CHECK_EQ(largest > 0.9f, max_spectral_radius > 1);
      }
  }
}

}  // namespace

int main() {
  test_adamw(1, 1, 1);
  test_adamw(7, 5, 3);
  test_adamw(33, 64, 2);
  test_adamw(4096, 3, 1);  // more than the least share of a block that sums squares
  test_not_finite(1, 1);
  test_not_finite(7, 130);
  for (const int64_t state_dim : {1, 7, 40, 130}) test_radius(state_dim);
  return comparison_result();
}
