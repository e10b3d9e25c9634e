// Windows within which texts start: losses, logits, states and gradients are those of the texts by
// themselves, with every option, set of kernels, number of threads and cut into chunks.
#include <cmath>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "pass/shard_pass.h"
#include "run_pass.h"

namespace {

using slm::Net;

// A model of random values on the CPU.
struct RandomNet : Net {
  RandomNet(const slm::Config& shape, int threads, const slm::Kernels& kernels)
      : Net(shape, {}, std::make_shared<slm::CpuBackend>(threads, kernels), "float32") {
    Floats values = random_floats(table.num_parameters(), 4, -0.3f, 0.3f);
    for (int64_t i = 0; config.cell == slm::Cell::dense && i < config.num_layers; ++i) {
      const slm::Tensor& A = table.layer(i, "A");  // a state that lasts, and does not grow
      for (int64_t k = 0; k < A.info.size; ++k)
        values[size_t(A.offset + k)] *= 4.0f / std::sqrt(float(A.cols()));
    }
    backend->write(values.data(), table.num_parameters(), weights->flat(), 0);
    backend->params_changed(*weights);
  }
};

// Bytes of a few letters, so that there would be matches in other texts, and random starts: some at
// the first and the last time step, some one after the other, and none in the second row.
struct Texts {
  Texts(int64_t T, int64_t B, uint32_t seed)
      : seq_len(T), rows(B), inputs(random_bytes(T * B, seed)), targets(inputs), starts(inputs) {
    const Bytes random = random_bytes(T * B, seed + 100);
    for (int64_t i = 0; i < T * B; ++i) {
      const int64_t t = i / B, b = i % B;
      targets[size_t(i)] = random[size_t(i)];
      starts[size_t(i)] = inputs[size_t(i)] / 4 % 12 == 0 || (b == 0 && (t < 2 || t + 1 == T));
      if (b == 1) starts[size_t(i)] = 0;
      inputs[size_t(i)] = static_cast<uint8_t>('a' + inputs[size_t(i)] % 4);
    }
  }

  slm::Window window() const {
    return {inputs.data(), targets.data(), seq_len, rows, starts.data()};
  }
  // f(b, t0, t1, starts) for the time steps of each text, and of what comes before the first one.
  template <class F>
  void for_each_text(const F& f) const {
    for (int64_t b = 0; b < rows; ++b)
      for (int64_t t0 = 0, t1; t0 < seq_len; t0 = t1) {
        for (t1 = t0 + 1; t1 < seq_len && !starts[size_t(t1 * rows + b)];) ++t1;
        f(b, t0, t1, starts[size_t(t0 * rows + b)] != 0);
      }
  }
  Bytes row(const Bytes& from, int64_t b, int64_t t0, int64_t t1) const {
    Bytes bytes;
    for (int64_t t = t0; t < t1; ++t) bytes.push_back(from[size_t(t * rows + b)]);
    return bytes;
  }

  int64_t seq_len, rows;
  Bytes inputs, targets, starts;
};

struct Outcome {
  Floats losses, logits;                // time-major
  Floats state, state_without_dropout;  // after the window: with losses, and with logits
  std::vector<double> gradients;
};

Floats values_of(const Net& net, const slm::Buffer& buffer) {
  Floats values(size_t(buffer.size()));
  net.backend->read(buffer, 0, buffer.size(), values.data());
  return values;
}

std::unique_ptr<slm::Buffer> buffer_of(const Net& net, const Floats& values) {
  auto buffer = net.backend->make_buffer(int64_t(values.size()));
  net.backend->write(values.data(), buffer->size(), *buffer, 0);
  return buffer;
}

// Where row b of a state of `rows` texts has its values: f(in the state, in a state of one text).
template <class F>
void for_each_state_value(const slm::Config& config, int64_t rows, int64_t b, const F& f) {
  const int64_t N = config.state_dim, K = history_size(config);
  for (int64_t i = 0; i < config.num_layers * N; ++i) f((i / N * rows + b) * N + i % N, i);
  for (int64_t i = 0; i < K; ++i)
    f(hidden_size(config, rows) + b * K + i, hidden_size(config, 1) + i);
}

// One window through both passes.
Outcome compute(const Net& net, const slm::Window& window, const Floats& state,
                const slm::Dropout& dropout, bool recompute) {
  const int64_t T = window.seq_len, B = window.batch_size;
  Outcome out;
  out.losses.resize(size_t(T * B));
  out.logits.resize(size_t(T * B * slm::kVocabSize));
  auto after = buffer_of(net, state);
  const auto grads = net.backend->make_gradients(net.config, net.table, T * B);
  slm::TrainingPass pass(net, T, B, recompute);
  pass.run(window, after.get(), dropout, *grads, out.losses.data());
  pass.save_state(after);
  out.state = values_of(net, *after);
  Floats gradients(size_t(net.table.num_parameters()));
  net.backend->read_gradients(*grads, gradients.data());
  out.gradients.assign(gradients.begin(), gradients.end());

  const int64_t steps = std::min(T, net.backend->chunk_steps(net.config, B));
  const auto workspace = net.backend->make_workspace(net.config, {steps, B, false});
  after = buffer_of(net, state);
  forward_pass(net, *workspace, window, after.get(), out.logits.data(), nullptr);
  out.state_without_dropout = values_of(net, *after);
  return out;
}

// The same, each text by itself: of one row, from a zero state but for what comes first.
Outcome compute_apart(const Net& net, const Texts& texts, const Floats& state,
                      const slm::Dropout& dropout) {
  const int64_t B = texts.rows;
  const float scale = 1.0f / static_cast<float>(texts.seq_len * B);
  const std::atomic<bool> stop{false};
  Outcome out;
  out.losses.resize(size_t(texts.seq_len * B));
  out.logits.resize(out.losses.size() * slm::kVocabSize);
  out.state = out.state_without_dropout = state;
  out.gradients.resize(size_t(net.table.num_parameters()));
  texts.for_each_text([&](int64_t b, int64_t t0, int64_t t1, bool starts) {
    const int64_t T = t1 - t0;
    const Bytes inputs = texts.row(texts.inputs, b, t0, t1),
                targets = texts.row(texts.targets, b, t0, t1);
    const slm::Window window{inputs.data(), targets.data(), T, 1};
    Floats own(size_t(state_size(net.config, 1)));
    for_each_state_value(net.config, B, b, [&](int64_t from, int64_t to) {
      if (!starts) own[size_t(to)] = state[size_t(from)];
    });
    slm::Dropout here = dropout;
    here.first += uint64_t(t0 * B + b);
    here.row += uint64_t(b);
    here.batch_size = B;
    const auto grads = net.backend->make_gradients(net.config, net.table, T);
    const auto before = buffer_of(net, own);
    slm::ShardPass pass(net, T, 1, false);
    Floats losses(inputs.size()), logits(inputs.size() * slm::kVocabSize);
    pass.run(window, starts ? nullptr : before.get(), here, scale, stop, *grads, losses.data());
    Floats gradients(out.gradients.size());
    net.backend->read_gradients(*grads, gradients.data());
    for (size_t i = 0; i < gradients.size(); ++i) out.gradients[i] += double{gradients[i]};
    const auto workspace = net.backend->make_workspace(net.config, {T, 1, false});
    forward_pass(net, *workspace, window, before.get(), logits.data(), nullptr);
    const Floats after = values_of(net, pass.end_state()), read = values_of(net, *before);
    for_each_state_value(net.config, B, b, [&](int64_t to, int64_t from) {
      out.state[size_t(to)] = after[size_t(from)];
      out.state_without_dropout[size_t(to)] = read[size_t(from)];
    });
    for (int64_t t = 0; t < T; ++t) {
      const int64_t to = (t0 + t) * B + b;
      out.losses[size_t(to)] = losses[size_t(t)];
      std::copy_n(logits.begin() + t * slm::kVocabSize, slm::kVocabSize,
                  out.logits.begin() + to * slm::kVocabSize);
    }
  });
  return out;
}

// The largest difference of a tensor's gradients, relative to the largest of them; of all tensors.
double worst_difference(const Net& net, const Outcome& a, const Outcome& b) {
  double worst = 0;
  for (const slm::Tensor& tensor : net.table.tensors()) {
    double largest = 1e-12, difference = 0;
    for (int64_t i = tensor.offset; i < tensor.offset + tensor.info.size; ++i) {
      largest = std::max(largest, std::abs(b.gradients[size_t(i)]));
      difference = std::max(difference, std::abs(a.gradients[size_t(i)] - b.gradients[size_t(i)]));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

// Windows in a row, each of which goes on from the state after the one before.
void test_texts(const Net& net, const std::vector<int64_t>& windows, int64_t rows, bool recompute) {
  const float rate = net.config.norm == slm::Norm::none ? 0 : 0.25f;
  Floats state(size_t(state_size(net.config, rows)));
  uint32_t seed = 1;
  for (const int64_t T : windows) {
    const Texts texts(T, rows, seed++);
    const slm::Dropout dropout{rate, 11, 1000 * seed, 0, rate, seed};
    const Outcome together = compute(net, texts.window(), state, dropout, recompute);
    const Outcome apart = compute_apart(net, texts, state, dropout);
    CHECK(same_bits(together.losses, apart.losses));
    CHECK(same_bits(together.logits, apart.logits));
    CHECK(same_bits(together.state, apart.state));
    CHECK(same_bits(together.state_without_dropout, apart.state_without_dropout));
    CHECK_NEAR(worst_difference(net, together, apart), 0, 2e-5);
    if (T > 4) {  // starts are of consequence
      slm::Window one_text = texts.window();
      one_text.starts = nullptr;
      const Outcome other = compute(net, one_text, state, dropout, recompute);
      CHECK(!same_bits(other.losses, apart.losses));
      CHECK(!same_bits(other.state, apart.state));
      CHECK(worst_difference(net, other, apart) > 1e-3);
    }
    state = together.state;
  }
}

// No byte of another text is in the state: entries before the last start are 0.
void test_history_begins_at_the_start() {
  const RandomNet net(rich(), 1, slm::active_kernels());
  const int64_t K = history_size(net.config), rows = 2;
  Texts texts(K + 9, rows, 3);
  std::fill(texts.starts.begin(), texts.starts.end(), uint8_t{0});
  texts.starts[size_t((K + 2) * rows)] = 1;
  const Floats state(size_t(state_size(net.config, rows)));
  const Floats after = compute(net, texts.window(), state, {}, false).state;
  const float* history = after.data() + hidden_size(net.config, rows);
  for (int64_t k = 0; k < K; ++k) {
    const auto byte = static_cast<float>(texts.inputs[size_t((k + 9) * rows)]) + 1.0f;
    CHECK_EQ(history[k], k < K - 7 ? 0.0f : byte);
    CHECK(history[K + k] > 0);
  }
}

// Starts of zeros alone are as good as none.
void test_no_start() {
  const RandomNet net(rich(), 2, slm::active_kernels());
  Texts texts(70, 4, 5);
  std::fill(texts.starts.begin(), texts.starts.end(), uint8_t{0});
  slm::Window none = texts.window();
  none.starts = nullptr;
  const Floats state(size_t(state_size(net.config, 4)));
  const Outcome zeros = compute(net, texts.window(), state, {}, true);
  const Outcome nothing = compute(net, none, state, {}, true);
  CHECK(same_bits(zeros.losses, nothing.losses));
  CHECK(same_bits(zeros.state, nothing.state));
  CHECK(zeros.gradients == nothing.gradients);
}

slm::Config with_cell(slm::Config config, slm::Cell cell) {
  config.cell = cell;
  return config;
}

}  // namespace

int main() {
  std::vector<const slm::Kernels*> all = slm::available_kernels();
  for (const slm::Kernels* kernels : slm::available_bf16_kernels()) all.push_back(kernels);
  for (const slm::Cell cell : {slm::Cell::dense, slm::Cell::gated}) {
    for (const slm::Kernels* kernels : all)
      for (const slm::Config& config : {small(), rich()})
        test_texts(RandomNet(with_cell(config, cell), 1, *kernels), {33, 3, 1, 20}, 5, false);
    for (const int threads : {1, 5})  // some chunks, shards and segments
      for (const bool recompute : {false, true})
        test_texts(RandomNet(with_cell(rich(), cell), threads, slm::active_kernels()), {300, 130},
                   12, recompute);
    test_texts(RandomNet(with_cell(wide(), cell), 2, slm::active_kernels()), {40, 2}, 3, true);
  }
  test_history_begins_at_the_start();
  test_no_start();
  return test_result();
}
