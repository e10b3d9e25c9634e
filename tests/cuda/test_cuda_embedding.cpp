// The embedding's CUDA kernels give the bits of the CPU backend: at odd sizes, over parts of a
// window, whatever the bytes, with values dropped.
#include <algorithm>

#include "compare_backends.h"

namespace {

struct Shape {
  int64_t seq_len, batch_size, embed_dim;
};

void test_same_bits(const Shape& shape, int num_bytes, const slm::Dropout& dropout = {}) {
  const auto [T, B, E] = shape;
  slm::Config config;
  config.embed_dim = E;
  config.state_dim = 3;
  config.num_layers = 1;
  const slm::TensorTable table(config);
  Bytes tokens(static_cast<size_t>(T * B));
  std::mt19937 random(1);
  for (uint8_t& token : tokens)
    token =
        static_cast<uint8_t>(255 - static_cast<int>(random() % static_cast<unsigned>(num_bytes)));
  const Floats values = random_floats(table.num_parameters(), 2), dy = random_floats(T * B * E, 3);
  const Floats grads = random_floats(table.num_parameters(), 4);

  const slm::CpuBackend cpu(2);
  const slm::CudaBackend cuda;
  const auto cpu_weights = cpu.make_weights(config, table);
  const auto cuda_weights = cuda.make_weights(config, table);
  const auto cpu_grads = cpu.make_gradients(config, table, 1 << 20);
  const auto cuda_grads = cuda.make_gradients(config, table, 1 << 20);
  for (slm::Gradients* to : {cpu_grads.get(), cuda_grads.get()}) set_dense(*to, grads);
  const auto cpu_any = cpu.make_workspace(config, {T, B, true});
  const auto cuda_any = cuda.make_workspace(config, {T, B, true});
  auto& cpu_ws = static_cast<slm::CpuWorkspace&>(*cpu_any);
  auto& cuda_ws = static_cast<slm::CudaWorkspace&>(*cuda_any);
  cpu.write(values.data(), table.num_parameters(), cpu_weights->flat(), 0);
  cuda.write(values.data(), table.num_parameters(), cuda_weights->flat(), 0);
  cuda.write(dy.data(), T * B * E, cuda_ws.dy, 0);
  cpu.begin_window(cpu_ws, {tokens.data(), nullptr, T, B}, nullptr, dropout);
  cuda.begin_window(cuda_ws, {tokens.data(), nullptr, T, B}, nullptr, dropout);

  const int64_t chunk = cpu.chunk_steps(config, B);
  for (int64_t t0 = 0; t0 < T; t0 += chunk) {
    const int64_t t1 = std::min(T, t0 + chunk);
    cpu.embed_forward(*cpu_weights, cpu_ws, t0, t1);
    cuda.embed_forward(*cuda_weights, cuda_ws, t0, t1);
    std::copy(dy.begin() + t0 * B * E, dy.begin() + t1 * B * E, cpu_ws.dy.get());
    cpu.embed_backward(*cpu_weights, cpu_ws, *cpu_grads, t0, t1);
    cuda.embed_backward(*cuda_weights, cuda_ws, *cuda_grads, t0, t1);
  }
  check_same_bits(read_all(cuda, cuda_ws.u), {cpu_ws.u(0, 0), cpu_ws.u(0, T)});
  check_same_bits(read_gradients(cuda, *cuda_grads, table), read_gradients(cpu, *cpu_grads, table));
}

}  // namespace

int main() {
  for (const int num_bytes : {1, 40, 256})
    for (const Shape& shape : {Shape{1, 1, 1}, {9, 1, 7}, {33, 31, 3}, {2, 17, 129}})
      test_same_bits(shape, num_bytes);
  for (const Shape& shape : {Shape{9, 1, 7}, {33, 31, 3}, {2, 17, 129}})
    test_same_bits(shape, 40, {0.3f, 7, (uint64_t{1} << 40) + 3});
  test_same_bits({1, 1300, 131}, 5);  // more positions than a block looks through at a time
  return comparison_result();
}
