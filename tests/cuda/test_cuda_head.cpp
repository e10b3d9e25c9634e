// Logits, softmax and cross-entropy on CUDA are those of the CPU backend, also
// where they are extreme.
#include <limits>

#include "window_run.h"

namespace {

slm::Config config_of(int64_t E, bool own_head, bool norm, bool tied, bool bias) {
  slm::Config config;
  config.cell = slm::Cell::dense;
  config.embed_dim = E;
  config.state_dim = 4;
  config.num_layers = 1;
  config.residual = own_head;
  if (norm) config.norm = slm::Norm::rms;
  config.tie_embeddings = tied;
  config.head_bias = bias;
  return config;
}

// The tensor that makes the logits.
const slm::Tensor& last_matrix(const slm::TensorTable& table) {
  for (const char* name : {"head.weight", "layers.0.D"})
    if (const slm::Tensor* tensor = table.find(name)) return *tensor;
  return table.at("embedding.weight");
}

void test_heads(int64_t T, int64_t B, int64_t E, float scale) {
  for (int options = 0; options < 16; ++options) {
    const bool own_head = (options & 7) != 0, bias = (options & 8) != 0;
    if (bias && !own_head) continue;
    const WindowCase c{
        config_of(E, (options & 1) != 0, (options & 2) != 0, (options & 4) != 0, bias), T, B};
    const slm::TensorTable table(c.config);
    Floats parameters = random_parameters(table, 1);
    const slm::Tensor& matrix = last_matrix(table);
    for (int64_t i = 0; i < matrix.info.size; ++i)
      parameters[static_cast<size_t>(matrix.offset + i)] *= scale;
    compare_window(c, parameters);
  }
}

// The logits of a workspace without training stay what they are.
void test_reading() {
  const slm::CudaBackend cuda;
  const slm::Config config = config_of(5, true, true, false, true);
  const slm::TensorTable table(config);
  const auto weights = cuda.make_weights(config, table);
  cuda.write(random_parameters(table, 1).data(), table.num_parameters(), weights->flat(), 0);
  const auto ws = cuda.make_workspace(config, {9, 2, false});
  const Bytes inputs = random_bytes(18, 2), targets = random_bytes(18, 3);
  Floats before(9 * 2 * 256), after(before.size()), losses(18);
  cuda.begin_window(*ws, {inputs.data(), targets.data(), 9, 2}, nullptr, {});
  cuda.embed_forward(*weights, *ws, 0, 9);
  cuda.layer_forward(*weights, *ws, 0, 0, 9);
  cuda.head_logits(*weights, *ws, 0, 9);
  cuda.read_logits(*ws, 18, before.data());
  cuda.head_loss(*weights, *ws, 0, 9, 1);
  cuda.read_logits(*ws, 18, after.data());
  CHECK(same_bits(before, after));
  cuda.read_losses(*ws, 0, 9, losses.data());
  for (size_t r = 0; r < losses.size(); ++r) {
    double total = 0;
    for (size_t v = 0; v < 256; ++v) total += std::exp(double{before[r * 256 + v]});
    CHECK_NEAR(losses[r], std::log(total) - double{before[r * 256 + targets[r]]}, 1e-5);
  }
}

// A loss that is not finite must be seen as such.
void test_not_finite() {
  const slm::CpuBackend cpu(1);
  const slm::CudaBackend cuda;
  const slm::Config config = config_of(5, true, false, false, false);
  const slm::TensorTable table(config);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Floats parameters = random_parameters(table, 1);
    parameters[static_cast<size_t>(table.at("head.weight").offset + 200 * 5)] = bad;
    const WindowCase c{config, 7, 3};
    const Floats on_cpu = run_window(cpu, c, parameters).losses;
    const Floats on_cuda = run_window(cuda, c, parameters).losses;
    CHECK(!std::all_of(on_cpu.begin(), on_cpu.end(), [](float x) { return std::isfinite(x); }));
    for (size_t i = 0; i < on_cpu.size(); ++i)
      CHECK_EQ(std::isfinite(on_cuda[i]), std::isfinite(on_cpu[i]));
  }
}

}  // namespace

int main() {
  test_heads(1, 1, 5, 1);
  for (const float scale : {0.0f, 1.0f, 30.0f}) test_heads(7, 3, 33, scale);
  test_reading();
  test_not_finite();
  return comparison_result();
}
