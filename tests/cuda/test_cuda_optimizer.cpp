// AdamW on CUDA gives the bits of the CPU's vector kernels, and the gradient's norm is the CPU's up
// to rounding.
#include <cmath>
#include <limits>

#include "compare_backends.h"

namespace {

struct Training {
  Training(const slm::Backend& on, const slm::Config& config, const slm::TensorTable& table)
      : backend(on),
        weights(on.make_weights(config, table)),
        grads(on.make_gradients(config, table, 1 << 20)) {
    const int64_t size = table.num_parameters();
    backend.write(random_floats(size, 1).data(), size, weights->flat(), 0);
    m = make_buffer(backend, random_floats(size, 2));
    v = make_buffer(backend, random_floats(size, 3, 0, 1));
  }

  void update(const slm::TensorTable& table, uint32_t seed, const slm::AdamWStep& step) {
    set_dense(*grads, random_floats(table.num_dense(), seed));
    backend.update(*weights, *grads, *m, *v, table, step);
    backend.params_changed(*weights);
  }

  const slm::Backend& backend;
  std::unique_ptr<slm::Weights> weights;
  std::unique_ptr<slm::Gradients> grads;
  std::unique_ptr<slm::Buffer> m, v;
};

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
  for (int k = 1; k <= 3; ++k) {
    const slm::AdamWStep step = {0.01f,
                                 0.9f,
                                 0.98f,
                                 1e-8f,
                                 0.05f,
                                 3.0f,
                                 static_cast<float>(1 - std::pow(0.9, k)),
                                 static_cast<float>(1 - std::pow(0.98, k)),
                                 k == 2 ? 0.3f : 1.0f};
    for (Training* training : {&cpu, &cuda})
      training->update(table, 10 + static_cast<uint32_t>(k), step);
  }
  check_same(read_all(cuda_backend, cuda.weights->flat()),
             read_all(cpu_backend, cpu.weights->flat()));
  check_same(read_all(cuda_backend, *cuda.m), read_all(cpu_backend, *cpu.m));
  check_same(read_all(cuda_backend, *cuda.v), read_all(cpu_backend, *cpu.v));
  CHECK(same_bits(read_gradients(cuda_backend, *cuda.grads, table),
                  Floats(static_cast<size_t>(table.num_parameters()))));
}

void test_grad_norm(int64_t embed_dim, int64_t state_dim) {
  slm::Config config;
  config.embed_dim = embed_dim;
  config.state_dim = state_dim;
  const slm::TensorTable table(config);
  const slm::CpuBackend cpu(2);
  const slm::CudaBackend cuda;
  const auto cpu_grads = cpu.make_gradients(config, table, 1 << 20);
  const auto cuda_grads = cuda.make_gradients(config, table, 1 << 20);
  const Floats grads = random_floats(table.num_parameters(), 5);
  for (slm::Gradients* to : {cpu_grads.get(), cuda_grads.get()}) set_dense(*to, grads);
  const double expected = cpu.grad_norm(*cpu_grads);
  CHECK_NEAR(cuda.grad_norm(*cuda_grads), expected, 1e-6 * expected);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    set_dense(*cuda_grads, {bad}, static_cast<int64_t>(grads.size()) - 1);
    CHECK(!std::isfinite(cuda.grad_norm(*cuda_grads)));
  }
  cuda.clear(*cuda_grads);
  CHECK(cuda.grad_norm(*cuda_grads) == 0);
}

}  // namespace

int main() {
  test_adamw(1, 1, 1);
  test_adamw(7, 5, 3);
  test_adamw(33, 64, 2);
  test_grad_norm(1, 1);
  test_grad_norm(7, 130);
  test_grad_norm(4096, 3);  // more than the blocks' least shares
  return comparison_result();
}
