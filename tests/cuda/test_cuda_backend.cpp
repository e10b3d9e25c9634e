// Memory and windows of the CUDA backend.
#include "emulated_backend.h"

namespace {

void test_buffers() {
  const EmulatedBackend cuda;
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
  const EmulatedBackend cuda;
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
    cuda.begin_window(ws, inputs.data(), targets.data(), 4, state.get(), {});
  }
  for (int i = 0; i < 8; ++i) {
    CHECK_EQ(ws.tokens.get()[i], uint8_t{'i'});
    CHECK_EQ(ws.targets.get()[i], uint8_t{'t'});
  }
  CHECK_EQ(ws.tokens.get()[8], uint8_t{0});
  cuda.save_state(ws, *saved);
  CHECK(same_bits(read_all(cuda, *saved), read_all(cuda, *state)));
  cuda.begin_window(ws, Bytes(14).data(), nullptr, 7, nullptr, {});
  cuda.save_state(ws, *saved);
  CHECK(same_bits(read_all(cuda, *saved), Floats(20)));
}

}  // namespace

int main() {
  test_buffers();
  test_window();
  return test_result();
}
