// Windows within which texts start: CUDA has what the CPU has, with every cell and option, however
// the window is cut, and in recorded operations.
#include "pass/training_pass.h"
#include "whole_models.h"
#include "window_run.h"

namespace {

// Random ones, and some at the first and the last time step and one after the other.
Bytes random_starts(int64_t T, int64_t B, uint32_t seed) {
  Bytes starts = random_bytes(T * B, seed);
  for (int64_t i = 0; i < T * B; ++i) {
    uint8_t& start = starts[static_cast<size_t>(i)];
    start = start % 9 == 0 || (i % B == 0 && (i / B < 2 || i / B + 1 == T));
  }
  return starts;
}

void test_window(WindowCase c) {
  const slm::TensorTable table(c.config);
  Floats parameters = random_parameters(table, 3);
  for (int64_t i = 0; c.config.cell == slm::Cell::dense && i < c.config.num_layers; ++i) {
    const slm::Tensor& A = table.layer(i, "A");  // a state that lasts, and does not grow
    const Floats values = random_floats(A.info.size, 8, -0.4f, 0.4f);
    std::copy(values.begin(), values.end(), parameters.begin() + A.offset);
  }
  c.starts = random_starts(c.seq_len, c.batch_size, 9);
  const WindowRun run = compare_window(c, parameters);
  if (c.seq_len == 1 && !c.carried) return;  // else starts are of consequence
  c.starts.clear();
  CHECK(!same_bits(run_window(slm::CudaBackend(), c, parameters).losses, run.losses));
}

// Training windows with and without starts in turns, so that those that are recorded have others
// than those that are run from the recording.
void test_recorded(const slm::Config& config) {
  constexpr int64_t T = 20, B = 3;
  Floats losses[2], gradients[2];
  for (const bool on_cuda : {false, true}) {
    const slm::Model model = make_model(config, on_cuda ? "cuda" : "cpu");
    const slm::Net& net = slm::impl_of(model);
    slm::TrainingPass pass(net, T, B, false);
    auto state = net.backend->make_buffer(state_size(config, B));
    const auto grads = net.backend->make_gradients(config, net.table, T * B);
    for (uint32_t i = 0; i < 9; ++i) {
      const Bytes inputs = random_bytes(T * B, 20 + i), targets = random_bytes(T * B, 40 + i);
      const Bytes starts = random_starts(T, B, 60 + i);
      const bool has_starts = i % 3 != 1;
      Floats window_losses(inputs.size());
      pass.run({inputs.data(), targets.data(), T, B, has_starts ? starts.data() : nullptr},
               state.get(), {}, *grads, window_losses.data());
      pass.save_state(state);
      const Floats window_gradients = read_gradients(*net.backend, *grads, net.table);
      net.backend->clear(*grads);
      losses[on_cuda].insert(losses[on_cuda].end(), window_losses.begin(), window_losses.end());
      gradients[on_cuda].insert(gradients[on_cuda].end(), window_gradients.begin(),
                                window_gradients.end());
    }
  }
  check_close(losses[1], losses[0]);
  check_close(gradients[1], gradients[0]);
}

slm::Config shared_rows() {  // as many matches as there may be between texts
  slm::Config config = rich();
  config.match_lengths = {2};
  config.match_span = 40;
  return config;
}

}  // namespace

int main() {
  const slm::Dropout dropout{0.3f, 5, 70};
  for (const int64_t T : {1, 2, 7, 33, 150})
    for (const int64_t B : {1, 3}) {
      test_window({dense(2), T, B, T != 7});
      test_window({normed(), T, B, B == 3});
      test_window({gated(), T, B, T != 33, {}, dropout});
    }
  for (const slm::Config& config : {seed(), normed(), gated(), rich(), shared_rows()}) {
    test_window({config, 60, 5, true, {1, 34, 59}});
    test_recorded(config);
  }
  // 0xFF, which ends documents, is what a byte before the text becomes where it is cast.
  WindowCase repetitive{shared_rows(), 60, 5, true};
  repetitive.repetitive = true;
  test_window(repetitive);
  return comparison_result();
}
