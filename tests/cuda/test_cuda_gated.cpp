// The gated cell on CUDA, with norm and residual, gives what the CPU backend gives: at odd sizes,
// from a carried state, over ranges of a window.
#include "window_run.h"

namespace {

slm::Config gated(int64_t E, int64_t N, int64_t L, bool residual = false,
                  slm::Norm norm = slm::Norm::none) {
  slm::Config config;
  config.cell = slm::Cell::gated;
  config.embed_dim = E;
  config.state_dim = N;
  config.num_layers = L;
  config.residual = residual;
  config.norm = norm;
  return config;
}

void test_window(const WindowCase& c) {
  compare_window(c, random_parameters(slm::TensorTable(c.config), 3));
}

// From less than one piece of time to several tiles of all pieces.
void test_lengths() {
  for (const auto& [T, B] :
       {std::pair{1, 1}, {1, 3}, {2, 3}, {7, 1}, {8, 3}, {9, 1}, {33, 3}, {100, 1}, {129, 3}})
    test_window({gated(7, 5, 1, true, slm::Norm::rms), T, B, T % 2 == 0});
  test_window({gated(7, 5, 2, true, slm::Norm::rms), 300, 3, true, {1, 3, 140, 290}});
  test_window({gated(3, 40, 1), 300, 1, true, {16}});
}

// A norm of one value is its sign, which has no gradient.
void test_widths() {
  for (const auto& [E, N] : {std::pair{1, 1}, {5, 33}, {33, 130}, {130, 5}, {300, 3}})
    test_window({gated(E, N, E > N ? 3 : 1, E > N, E > 1 ? slm::Norm::rms : slm::Norm::none), 20, 3,
                 E > N});
}

void test_options() {
  for (const bool residual : {false, true})
    for (const slm::Norm norm : {slm::Norm::none, slm::Norm::rms}) {
      test_window({gated(9, 6, 1, residual, norm), 33, 3});
      test_window({gated(9, 6, 2, residual, norm), 18, 2, true, {5, 17}});
    }
}

// More than the CPU does at once; and more positions than a norm's blocks do in one go each.
void test_large(int64_t T, int64_t B, int64_t steps_on_cpu) {
  const WindowCase whole{gated(2, 3, 1, true, slm::Norm::rms), T, B, true};
  WindowCase in_parts = whole;
  for (int64_t t = steps_on_cpu; t < T; t += steps_on_cpu) in_parts.cuts.push_back(t);
  const slm::TensorTable table(whole.config);
  const Floats parameters = random_parameters(table, 3);
  const WindowRun cuda = run_window(slm::CudaBackend(), whole, parameters);
  const WindowRun cpu = run_window(slm::CpuBackend(1), in_parts, parameters);
  check_close(cuda.losses, cpu.losses);
  check_close(cuda.state, cpu.state);
  for (const slm::Tensor& tensor : table.tensors())
    check_close(part_of(cuda.gradients, tensor), part_of(cpu.gradients, tensor));
}

// Where f is large, a is 1 and the state stays the same to the bit; where it is far below zero, the
// state is z alone.
void test_saturated_gates() {
  const WindowCase c{gated(4, 6, 1), 150, 2, true};
  const int64_t N = c.config.state_dim;
  const slm::TensorTable table(c.config);
  Floats parameters(static_cast<size_t>(table.num_parameters()));
  float* bias = parameters.data() + table.layer(0, "in.bias").offset;
  std::fill_n(bias, N / 2, 200.0f);
  std::fill_n(bias + N / 2, N / 2, -200.0f);
  std::fill_n(bias + N, N, 0.25f);
  const Floats before = random_state(c.config, c.batch_size, 5);
  const WindowRun run = run_window(slm::CudaBackend(), c, parameters);
  for (int64_t i = 0; i < c.batch_size * N; ++i) {
    const auto at = static_cast<size_t>(i);
    CHECK_EQ(run.state[at], i % N < N / 2 ? before[at] : 0.25f);
  }
}

}  // namespace

int main() {
  test_lengths();
  test_widths();
  test_options();
  test_large(1, 4200, 1);
  test_saturated_gates();
  return comparison_result();
}
