// Memory plans of the CUDA backend say to the byte what is then allocated, as the emulator counts
// it.
#include "compare_backends.h"

namespace {

slm::Config config_of(slm::Cell cell, int64_t mlp_dim, slm::Norm norm,
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

void test_memory_plans() {
  const slm::CudaBackend cuda;
  const auto allocated_by = [](const auto& make) {
    const int64_t before = emulate::allocated_bytes;
    make();
    return emulate::allocated_bytes - before;
  };
  for (const slm::Config& config : {config_of(slm::Cell::dense, 0, slm::Norm::none, {}, 0),
                                    config_of(slm::Cell::dense, 4, slm::Norm::rms, {2}, 0),
                                    config_of(slm::Cell::gated, 0, slm::Norm::rms, {3, 4}, 2),
                                    config_of(slm::Cell::gated, 7, slm::Norm::none, {}, 0)}) {
    const slm::TensorTable table(config);
    const auto check_plan = [&](const auto& make) {
      CHECK_EQ(slm::count_bytes(make), allocated_by(make));
    };
    check_plan([&] { cuda.make_weights(config, table); });
    check_plan([&] { cuda.make_gradients(config, table, 14); });
    for (const bool max_spectral_radius : {false, true})
      check_plan([&] { cuda.make_update_result(table, max_spectral_radius); });
    for (const slm::WorkspaceShape& shape :
         {slm::WorkspaceShape{1, 1, false}, {7, 2, true}, {100, 3, false}, {100, 3, true}})
      check_plan([&] { cuda.make_workspace(config, shape); });
  }
}

}  // namespace

int main() {
  test_memory_plans();
  return test_result();
}
