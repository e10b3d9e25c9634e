// Buffers and windows of the CUDA backend.
#include "compare_backends.h"

namespace {

void test_buffers() {
  const slm::CudaBackend cuda;
  const Floats values = random_floats(100, 1);
  const auto buffer = cuda.make_buffer(100);
  CHECK(same_bits(read_all(cuda, *buffer), Floats(100)));
  cuda.write(values.data() + 10, 30, *buffer, 20);
  Floats part(30);
  cuda.read(*buffer, 20, 30, part.data());
  CHECK(same_bits(part, {values.begin() + 10, values.begin() + 40}));
  const auto other = cuda.make_buffer(100);
  cuda.copy(*buffer, *other);
  CHECK(same_bits(read_all(cuda, *other), read_all(cuda, *buffer)));
}

void test_window() {
  const slm::CudaBackend cuda;
  slm::Config config;
  config.embed_dim = 3;
  config.state_dim = 5;
  config.num_layers = 2;
  const auto any = cuda.make_workspace(config, {7, 2, false});
  auto& ws = static_cast<slm::CudaWorkspace&>(*any);
  const auto state = make_buffer(cuda, random_floats(2 * 2 * 5, 1)), saved = cuda.make_buffer(20);
  {
    // A window shorter than the workspace; its arrays may go as soon as it has begun.
    const Bytes inputs(8, 'i'), targets(8, 't');
    cuda.begin_window(ws, {inputs.data(), targets.data(), 4, 2}, state.get(), {});
  }
  Bytes tokens(9), targets(9);
  copy_values<uint8_t>(ws.tokens.get(), 9, tokens.data());
  copy_values<uint8_t>(ws.targets.get(), 9, targets.data());
  CHECK(tokens == Bytes({'i', 'i', 'i', 'i', 'i', 'i', 'i', 'i', 0}));
  CHECK(targets == Bytes({'t', 't', 't', 't', 't', 't', 't', 't', 0}));
  cuda.save_state(ws, *saved);
  CHECK(same_bits(read_all(cuda, *saved), read_all(cuda, *state)));
  cuda.begin_window(ws, {Bytes(14).data(), nullptr, 7, 2}, nullptr, {});
  cuda.save_state(ws, *saved);
  CHECK(same_bits(read_all(cuda, *saved), Floats(20)));
}

// Training windows are one range each; none is empty, however many rows there are.
void test_chunk_steps() {
  const slm::CudaBackend cuda;
  const slm::Config config;
  CHECK(cuda.chunk_steps(config, 16) >= 1024);
  CHECK(cuda.chunk_steps(config, 1) < (1 << 20));
  CHECK_EQ(cuda.chunk_steps(config, 1 << 20), 1);
}

}  // namespace

int main() {
  test_chunk_steps();
  test_buffers();
  test_window();
  return test_result();
}
