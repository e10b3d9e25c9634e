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

slm::Config config_of(const std::string& cell, int64_t mlp_dim, const std::string& norm,
                      const std::vector<int64_t>& ngram_orders, int64_t ngram_dim) {
  slm::Config config;
  config.embed_dim = 3;
  config.state_dim = 5;
  config.num_layers = 2;
  config.cell = cell;
  config.mlp_dim = mlp_dim;
  config.norm = norm;
  config.ngram_orders = ngram_orders;
  config.ngram_buckets = 16;
  config.ngram_dim = ngram_dim;
  return config;
}

// Plans say to the byte what is then allocated.
void test_memory_plans() {
  const EmulatedBackend cuda;
  const auto allocated_by = [](const auto& make) {
    const int64_t before = emulate::allocated_bytes;
    make();
    return emulate::allocated_bytes - before;
  };
  for (const slm::Config& config :
       {config_of("dense", 0, "none", {}, 0), config_of("dense", 4, "rms", {2}, 0),
        config_of("gated", 0, "rms", {3, 4}, 2), config_of("gated", 7, "none", {}, 0)}) {
    const slm::TensorTable table(config);
    CHECK_EQ(cuda.weights_bytes(config, table),
             allocated_by([&] { cuda.make_weights(config, table); }));
    CHECK_EQ(cuda.gradients_bytes(table, 14),
             allocated_by([&] { cuda.make_gradients(config, table, 14); }));
    for (const slm::WorkspaceShape& shape :
         {slm::WorkspaceShape{1, 1, false}, {7, 2, true}, {100, 3, false}, {100, 3, true}})
      CHECK_EQ(cuda.workspace_bytes(config, shape),
               allocated_by([&] { cuda.make_workspace(config, shape); }));
  }
}

// Training windows are one range each; none is empty, however many rows there are.
void test_chunk_steps() {
  const EmulatedBackend cuda;
  const slm::Config config;
  CHECK(cuda.chunk_steps(config, 16) >= 1024);
  CHECK(cuda.chunk_steps(config, 1) < (1 << 20));
  CHECK_EQ(cuda.chunk_steps(config, 1 << 20), 1);
}

}  // namespace

int main() {
  test_memory_plans();
  test_chunk_steps();
  test_buffers();
  test_window();
  return test_result();
}
