// The SwiGLU after a layer's cell on CUDA gives what the CPU backend gives.
#include "window_run.h"

namespace {

void test_swiglu(int64_t T, int64_t B, int64_t E, int64_t M, int64_t L,
                 const std::vector<int64_t>& cuts) {
  for (const bool residual : {false, true})
    for (const slm::Norm norm : {slm::Norm::none, slm::Norm::rms}) {
      if (E == 1 && norm == slm::Norm::rms) continue;  // of one value there is its sign alone
      WindowCase c;
      c.seq_len = T;
      c.batch_size = B;
      c.carried = !cuts.empty();
      c.cuts = cuts;
      c.config.cell = slm::Cell::gated;
      c.config.embed_dim = E;
      c.config.state_dim = 20;  // fewer may all be near zero, and a norm makes that large
      c.config.mlp_dim = M;
      c.config.num_layers = L;
      c.config.residual = residual;
      c.config.norm = norm;
      compare_window(c, random_parameters(slm::TensorTable(c.config), 3));
    }
}

}  // namespace

int main() {
  test_swiglu(1, 1, 1, 1, 1, {});
  test_swiglu(2, 3, 5, 7, 1, {});
  test_swiglu(33, 3, 6, 2, 2, {});
  test_swiglu(33, 2, 6, 9, 3, {1, 20});
  test_swiglu(10, 1, 70, 300, 1, {});  // wider than a block
  return comparison_result();
}
