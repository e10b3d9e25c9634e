#pragma once
// One training window through every operation of the seam, on any backend, for comparisons.
#include "compare_backends.h"

struct WindowCase {
  slm::Config config;
  int64_t seq_len = 1, batch_size = 1;
  bool carried = false;            // the window starts from a state
  std::vector<int64_t> cuts = {};  // inner bounds of the ranges of time
  slm::Dropout dropout = {};
  Bytes starts = {};        // (T, B), or empty: none
  bool repetitive = false;  // inputs of two bytes alone, so that nearly all have matches
};

// The results of a window that can be read back.
struct WindowRun {
  Floats logits, losses, logit_gradients, state, gradients;
};

// Initial values, and some more on top, so that norms, biases and tables are not trivial.
inline Floats random_parameters(const slm::TensorTable& table, uint32_t seed) {
  Floats values = random_floats(table.num_parameters(), seed, -0.1f, 0.1f);
  uint32_t index = 0;
  for (const slm::Tensor& tensor : table.tensors()) {
    Floats start(static_cast<size_t>(tensor.info.size));
    init_tensor(tensor, seed, index++, start.data());
    for (size_t i = 0; i < start.size(); ++i)
      values[static_cast<size_t>(tensor.offset) + i] += start[i];
  }
  return values;
}

// A state that the model may be in: hidden values, and bytes as a state has them.
inline Floats random_state(const slm::Config& config, int64_t batch_size, uint32_t seed) {
  Floats values = random_floats(state_size(config, batch_size), seed);
  for (auto i = static_cast<size_t>(hidden_size(config, batch_size)); i < values.size(); ++i)
    values[i] = std::floor(128 + 127 * values[i]);
  return values;
}

inline WindowRun run_window(const slm::Backend& backend, const WindowCase& c,
                            const Floats& parameters) {
  const int64_t T = c.seq_len, B = c.batch_size, L = c.config.num_layers;
  const slm::TensorTable table(c.config);
  const auto weights = backend.make_weights(c.config, table);
  backend.write(parameters.data(), table.num_parameters(), weights->flat(), 0);
  backend.params_changed(*weights);
  const auto gradients = backend.make_gradients(c.config, table, T * B);
  const auto ws = backend.make_workspace(c.config, {T, B, true});
  const auto state = make_buffer(backend, random_state(c.config, B, 5));
  Bytes inputs = random_bytes(T * B, 6);
  const Bytes targets = random_bytes(T * B, 7);
  if (c.repetitive)
    for (uint8_t& byte : inputs) byte = byte % 4 == 0 ? 'a' : 0xFF;
  std::vector<int64_t> bounds = c.cuts;
  bounds.insert(bounds.begin(), 0);
  bounds.push_back(T);

  WindowRun run;
  const auto add_logits = [&](Floats& to, int64_t positions) {
    Floats part(static_cast<size_t>(positions * slm::kVocabSize));
    backend.read_logits(*ws, positions, part.data());
    to.insert(to.end(), part.begin(), part.end());
  };
  const uint8_t* starts = c.starts.empty() ? nullptr : c.starts.data();
  backend.begin_window(*ws, {inputs.data(), targets.data(), T, B, starts},
                       c.carried ? state.get() : nullptr, c.dropout);
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    const int64_t t0 = bounds[i], t1 = bounds[i + 1];
    backend.embed_forward(*weights, *ws, t0, t1);
    for (int64_t layer = 0; layer < L; ++layer) {
      backend.layer_forward(*weights, *ws, layer, t0, t1);
      if (c.config.mlp_dim > 0) backend.mlp_forward(*weights, *ws, layer, t0, t1);
    }
    backend.head_logits(*weights, *ws, t0, t1);
    add_logits(run.logits, (t1 - t0) * B);
  }
  backend.save_state(*ws, *state);
  backend.begin_backward(*ws);
  for (size_t i = bounds.size() - 1; i > 0; --i) {
    const int64_t t0 = bounds[i - 1], t1 = bounds[i];
    backend.head_loss(*weights, *ws, t0, t1, 1.0f / static_cast<float>(T * B));
    add_logits(run.logit_gradients, (t1 - t0) * B);
    if (has_head(c.config)) backend.head_backward(*weights, *ws, *gradients, t0, t1);
    for (int64_t layer = L - 1; layer >= 0; --layer) {
      if (c.config.mlp_dim > 0) backend.mlp_backward(*weights, *ws, *gradients, layer, t0, t1);
      backend.layer_backward(*weights, *ws, *gradients, layer, t0, t1);
    }
    backend.embed_backward(*weights, *ws, *gradients, t0, t1);
  }
  run.losses.resize(static_cast<size_t>(T * B));
  backend.read_losses(*ws, 0, T, run.losses.data());
  run.state = read_all(backend, *state);
  run.gradients = read_gradients(backend, *gradients, table);
  return run;
}

// Runs the window on both backends and compares all there is, the gradients by parameter and the
// bytes in the state to the bit. Returns CUDA's.
inline WindowRun compare_window(const WindowCase& c, const Floats& parameters) {
  static const slm::CpuBackend cpu_backend(1);
  static const slm::CudaBackend cuda_backend;
  const WindowRun cpu = run_window(cpu_backend, c, parameters);
  const WindowRun cuda = run_window(cuda_backend, c, parameters);
  check_close(cuda.logits, cpu.logits);
  check_close(cuda.losses, cpu.losses);
  check_close(cuda.logit_gradients, cpu.logit_gradients);
  check_close(cuda.state, cpu.state);
  const slm::TensorTable table(c.config);
  for (const slm::Tensor& tensor : table.tensors())
    check_close(part_of(cuda.gradients, tensor), part_of(cpu.gradients, tensor));
  const int64_t hidden = hidden_size(c.config, c.batch_size);
  if (history_size(c.config) > 0)
    check_same_bits({cuda.state.begin() + hidden, cuda.state.end()},
                    {cpu.state.begin() + hidden, cpu.state.end()});
  return cuda;
}
