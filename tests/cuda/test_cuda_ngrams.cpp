// Hashed n-grams and matches on CUDA: vectors, gradients by row, the optimizer of rows and the
// carried bytes are those of the CPU backend.
#include <algorithm>

#include "compare_backends.h"

namespace {

struct Case {
  std::vector<int64_t> orders;
  int64_t buckets, embed_dim, ngram_dim;
  int64_t seq_len, batch_size;
  float dropout;
  std::vector<int64_t> matches = {};
  int64_t span = 4096;
};

slm::Config config_of(const Case& c) {
  slm::Config config;
  config.embed_dim = c.embed_dim;
  config.state_dim = 3;
  config.num_layers = 1;
  config.ngram_orders = c.orders;
  config.ngram_buckets = c.buckets;
  config.ngram_dim = c.ngram_dim;
  config.match_lengths = c.matches;
  config.match_span = c.span;
  return config;
}

slm::CpuWorkspace& memory(const slm::CpuBackend&, slm::Workspace& ws) {
  return static_cast<slm::CpuWorkspace&>(ws);
}
slm::CudaWorkspace& memory(const slm::CudaBackend&, slm::Workspace& ws) {
  return static_cast<slm::CudaWorkspace&>(ws);
}

// The inputs of the layers from time step t on, and the gradient by them.
const float* inputs(slm::CpuWorkspace& ws, int64_t t) { return ws.u(0, t); }
const float* inputs(slm::CudaWorkspace& ws, int64_t t) {
  return slm::device_data(ws.u) + t * ws.B * ws.E;
}
float* gradient(slm::CpuWorkspace& ws, int64_t) { return ws.dy.get(); }
float* gradient(slm::CudaWorkspace& ws, int64_t t) {
  return slm::device_data(ws.dy) + t * ws.B * ws.E;
}

// The embedding's part of training on one backend.
template <class AnyBackend>
struct Side {
  Side(const AnyBackend& on, const Case& c)
      : backend(on),
        config(config_of(c)),
        table(config),
        T(c.seq_len),
        B(c.batch_size),
        weights(backend.make_weights(config, table)),
        gradients(backend.make_gradients(config, table, 3 * T * B)),
        workspace(backend.make_workspace(config, {T, B, true})),
        m(backend.make_buffer(table.num_moments())),
        v(backend.make_buffer(table.num_moments())),
        state(backend.make_buffer(state_size(config, B))) {
    const Floats values = random_floats(table.num_parameters(), 1);
    backend.write(values.data(), table.num_parameters(), weights->flat(), 0);
    backend.params_changed(*weights);
  }

  // In the ranges of time that the CPU backend would have. Returns e.
  Floats run(const Bytes& tokens, const Floats& de, int64_t seq_len, bool carried,
             const slm::Dropout& dropout) {
    const int64_t steps = std::max<int64_t>(1, slm::kChunkPositions / B),
                  row = B * config.embed_dim;
    auto& ws = memory(backend, *workspace);
    Floats e;
    backend.begin_window(ws, {tokens.data(), nullptr, seq_len, B}, carried ? state.get() : nullptr,
                         dropout);
    for (int64_t t = 0; t < seq_len; t += steps) {
      const int64_t end = std::min(seq_len, t + steps);
      backend.embed_forward(*weights, ws, t, end);
      Floats part(static_cast<size_t>((end - t) * row));
      copy_values(inputs(ws, t), (end - t) * row, part.data());
      e.insert(e.end(), part.begin(), part.end());
      copy_values(de.data() + t * row, (end - t) * row, gradient(ws, t));
      backend.embed_backward(*weights, ws, *gradients, t, end);
    }
    backend.save_state(ws, *state);
    return e;
  }

  Floats all_gradients() const { return read_gradients(backend, *gradients, table); }

  slm::StepResult update(const slm::AdamWStep& step) {
    const auto report = backend.make_update_result(table, false);
    backend.update(*weights, *gradients, *m, *v, table, step, *report);
    backend.params_changed(*weights);
    return backend.read_update_result(*report);
  }

  const AnyBackend& backend;
  const slm::Config config;
  const slm::TensorTable table;
  const int64_t T, B;
  std::unique_ptr<slm::Weights> weights;
  std::unique_ptr<slm::Gradients> gradients;
  std::unique_ptr<slm::Workspace> workspace;
  std::unique_ptr<slm::Buffer> m, v, state;
};

Bytes random_bytes(int64_t size, uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(static_cast<size_t>(size));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random() % 3 == 0 ? 255 : random() % 4);
  return bytes;
}

// Three windows, the second of which goes on where the first ended and is shorter than what n-grams
// look back to, with an update after the first and one after the others.
void test_training(const Case& c) {
  const slm::CpuBackend cpu_backend(2);
  const slm::CudaBackend cuda_backend;
  Side<slm::CpuBackend> cpu(cpu_backend, c);
  Side<slm::CudaBackend> cuda(cuda_backend, c);
  const auto positions = static_cast<uint64_t>(c.seq_len * c.batch_size);
  for (uint32_t k = 0; k < 3; ++k) {
    const int64_t seq_len = k == 1 ? std::min<int64_t>(2, c.seq_len) : c.seq_len;
    const Bytes tokens = random_bytes(c.seq_len * c.batch_size, k);
    const Floats de = random_floats(c.seq_len * c.batch_size * c.embed_dim, 10 + k);
    const slm::Dropout dropout{c.dropout, 5, k * positions};
    check_same(cuda.run(tokens, de, seq_len, k > 0, dropout),
               cpu.run(tokens, de, seq_len, k > 0, dropout));
    check_same_bits(read_all(cuda_backend, *cuda.state), read_all(cpu_backend, *cpu.state));
    check_same(cuda.all_gradients(), cpu.all_gradients());
    if (k == 1) continue;
    // The second update is clipped by the norm, which is the CPU's up to rounding.
    const float clip_norm = k == 0 ? 0 : 0.1f;
    const slm::AdamWStep step{0.01f, 0.9f, 0.98f, 1e-8f, 0.05f, 3.0f, 0.1f, 0.02f, clip_norm};
    const double norm = cpu.update(step).grad_norm;
    CHECK(norm > 0.1);
    CHECK_NEAR(cuda.update(step).grad_norm, norm, 1e-6 * norm);
    const auto compare = k == 0 ? check_same : check_close;
    compare(read_all(cuda_backend, cuda.weights->flat()),
            read_all(cpu_backend, cpu.weights->flat()));
    compare(read_all(cuda_backend, *cuda.m), read_all(cpu_backend, *cpu.m));
    compare(read_all(cuda_backend, *cuda.v), read_all(cpu_backend, *cpu.v));
    CHECK(same_bits(cuda.all_gradients(), Floats(cuda.all_gradients().size())));
  }
}

// A step that is not finite changes no row, and no row counts as having occurred.
void test_not_finite() {
  const Case c{{3}, 16, 5, 0, 7, 2, 0};
  const slm::CudaBackend backend;
  Side<slm::CudaBackend> side(backend, c);
  const Floats weights = read_all(backend, side.weights->flat());
  Floats de = random_floats(70, 2);
  de[69] = INFINITY;
  side.run(random_bytes(14, 1), de, 7, false, {});
  CHECK(!side.update({0.01f, 0.9f, 0.98f, 1e-8f, 0.05f, 3.0f, 0.1f, 0.02f, 1.0f}).finite());
  check_same_bits(read_all(backend, side.weights->flat()), weights);
  for (const slm::Buffer* moments : {side.m.get(), side.v.get()})
    CHECK(same_bits(read_all(backend, *moments), Floats(static_cast<size_t>(moments->size()))));
  CHECK(same_bits(side.all_gradients(), Floats(side.all_gradients().size())));
}

// After a step that is given up no row counts as having occurred.
void test_clear() {
  const Case c{{3}, 16, 5, 0, 7, 2, 0};
  const slm::CudaBackend backend;
  Side<slm::CudaBackend> side(backend, c);
  side.run(random_bytes(14, 1), random_floats(70, 2), 7, false, {});
  CHECK(!same_bits(side.all_gradients(), Floats(side.all_gradients().size())));
  backend.clear(*side.gradients);
  CHECK(same_bits(side.all_gradients(), Floats(side.all_gradients().size())));
  CHECK(side.update({0.01f, 0.9f, 0.98f, 1e-8f, 0.05f, 3.0f, 0.1f, 0.02f, 1.0f}).grad_norm == 0);
  CHECK(same_bits(read_all(backend, *side.m), Floats(static_cast<size_t>(side.m->size()))));
}

}  // namespace

int main() {
  test_training({{3}, 16, 1, 0, 9, 1, 0});
  test_training({{3, 4}, 64, 33, 0, 33, 31, 0});
  test_training({{2, 3, 4, 5, 6, 7, 8}, 256, 11, 0, 11, 2, 0.3f});
  test_training({{3, 5, 6}, 128, 130, 0, 1, 1300, 0.5f});  // more than a tile of either kind
  test_training({{8}, 512, 7, 4, 12, 3, 0});
  test_training({{3, 6}, 4096, 5, 2, 9, 70, 0.3f});
  test_training({{3, 4}, 32, 9, 140, 2, 600, 0});
  test_training({{3}, 16, 7, 0, 40, 3, 0, {2}, 25});
  test_training({{2, 8}, 16, 33, 0, 70, 5, 0.3f, {2, 4, 7}, 12});  // less than a window
  test_training({{}, 16, 6, 3, 33, 2, 0, {3, 9}, 300});
  test_not_finite();
  test_clear();
  return comparison_result();
}
