// A training step drops n-gram vectors whole, each with the same chance and on its own, and scales
// the others; what is dropped does not depend on how the batch is cut; and a row gets the gradients
// of those of its occurrences alone that were kept. Of the layers' inputs it drops values, the same
// at all time steps of a text; the gradients are those of what was computed.
#include <algorithm>
#include <cmath>

#include "check.h"
#include "cpu/cpu_backend.h"
#include "model_impl.h"
#include "numerics/dropout.h"
#include "run_pass.h"
#include "slm/trainer.h"

namespace {

constexpr int64_t kSteps = 500, kBatch = 8, kPositions = kSteps * kBatch;
constexpr float kRate = 0.3f;

// Every vector of order 2 is all ones, every one of order 3 all tens, and the bytes' are zero.
struct Window {
  Window() {
    config.cell = slm::Cell::gated;
    config.ngram_orders = {2, 3};
    config.ngram_buckets = 64;
    table = slm::TensorTable(config);
    Floats values(static_cast<size_t>(table.num_parameters()));
    for (const slm::Tensor& tensor : table.tensors())
      if (tensor.info.sparse)
        std::fill_n(values.begin() + tensor.offset, tensor.info.size,
                    tensor.info.name == "ngram.2.weight" ? 1.0f : 10.0f);
    weights = backend.make_weights(config, table);
    backend.write(values.data(), table.num_parameters(), weights->flat(), 0);
    backend.params_changed(*weights);
  }

  // e of the columns [b0, b1) of a batch of equal bytes.
  std::unique_ptr<slm::Workspace> run(int64_t b0, int64_t b1) {
    tokens.assign(static_cast<size_t>(kSteps * (b1 - b0)), 'a');
    auto workspace = backend.make_workspace(config, {kSteps, b1 - b0, true});
    const slm::Dropout dropout{kRate, 7, (uint64_t{1} << 33) + static_cast<uint64_t>(b0), kBatch};
    backend.begin_window(*workspace, {tokens.data(), nullptr, kSteps, b1 - b0}, nullptr, dropout);
    each_chunk(b1 - b0, [&](int64_t t0, int64_t t1) {
      backend.embed_forward(*weights, *workspace, t0, t1);
    });
    return workspace;
  }

  template <class F>
  void each_chunk(int64_t batch_size, const F& f) const {
    const slm::Chunks chunks{kSteps, backend.chunk_steps(config, batch_size)};
    for (int64_t i = 0; i < chunks.count(); ++i) f(chunks.begin(i), chunks.end(i));
  }

  slm::CpuBackend backend{2};
  slm::Config config = small();
  slm::TensorTable table{small()};
  std::unique_ptr<slm::Weights> weights;
  Bytes tokens;
};

slm::Config normed() {
  slm::Config config = small();
  config.norm = slm::Norm::rms;
  return config;
}

const float* row_of(slm::Workspace& workspace, int64_t t, int64_t b) {
  auto& ws = static_cast<slm::CpuWorkspace&>(workspace);
  return ws.u(0, t) + b * ws.E;
}

void test_whole_vectors_are_dropped() {
  Window window;
  const float scale = slm::drop_scale(kRate);
  const auto workspace = window.run(0, kBatch);
  double seen[2][2] = {};
  for (int64_t t = 2; t < kSteps; ++t)  // before that there are no n-grams of order 3
    for (int64_t b = 0; b < kBatch; ++b) {
      const float* e = row_of(*workspace, t, b);
      const bool has_three = e[0] > 9 * scale, has_two = e[0] - (has_three ? 10 * scale : 0) > 0.5f;
      for (int64_t i = 0; i < window.config.embed_dim; ++i)
        CHECK_NEAR(e[i], ((has_two ? 1 : 0) + (has_three ? 10 : 0)) * scale, 1e-3);
      seen[has_two][has_three] += 1.0 / static_cast<double>((kSteps - 2) * kBatch);
    }
  const double keep = 1 - kRate;
  CHECK_NEAR(seen[1][1], keep * keep, 0.03);
  CHECK_NEAR(seen[1][0], keep * kRate, 0.03);
  CHECK_NEAR(seen[0][1], kRate * keep, 0.03);
  CHECK_NEAR(seen[0][0], kRate * kRate, 0.03);
}

void test_parts_of_a_batch_drop_the_same() {
  Window window;
  const auto whole = window.run(0, kBatch), part = window.run(5, 7);
  for (int64_t t = 0; t < kSteps; ++t)
    for (int64_t b = 5; b < 7; ++b) CHECK_EQ(row_of(*part, t, b - 5)[0], row_of(*whole, t, b)[0]);
}

// With ones coming back, a row's gradient counts how often it was kept, scaled.
void test_gradients_of_what_was_kept() {
  Window window;
  const auto workspace = window.run(0, kBatch);
  const auto gradients = window.backend.make_gradients(window.config, window.table, kPositions);
  auto& ws = static_cast<slm::CpuWorkspace&>(*workspace);
  window.each_chunk(kBatch, [&](int64_t t0, int64_t t1) {
    std::fill_n(ws.dy.get(), (t1 - t0) * kBatch * ws.E, 1.0f);
    window.backend.embed_backward(*window.weights, ws, *gradients, t0, t1);
  });
  double kept[2] = {};
  const float scale = slm::drop_scale(kRate);
  for (int64_t t = 0; t < kSteps; ++t)
    for (int64_t b = 0; b < kBatch; ++b) {
      const bool has_three = row_of(ws, t, b)[0] > 9 * scale;
      kept[1] += has_three;
      kept[0] += row_of(ws, t, b)[0] - (has_three ? 10 * scale : 0) > 0.5f;
    }
  Floats values(static_cast<size_t>(window.table.num_parameters()));
  window.backend.read_gradients(*gradients, values.data());
  int order = 0;
  for (const char* name : {"ngram.2.weight", "ngram.3.weight"}) {
    const slm::Tensor& tensor = window.table.at(name);
    const auto begin = values.begin() + tensor.offset;
    CHECK_NEAR(*std::max_element(begin, begin + tensor.info.size), kept[order] * scale,
               1e-5 * kPositions);
    CHECK(kept[order] > 0.5 * kPositions);
    ++order;
  }
}

void test_masks() {
  constexpr int64_t kTexts = 200, kSize = 27;
  const slm::Philox random(3, slm::PhiloxStream::layers);
  const float scale = slm::drop_scale(kRate);
  double dropped = 0, both = 0;
  for (int64_t text = 0; text < kTexts; ++text)
    for (int64_t i = 0; i < kSize; ++i) {
      const auto value = [&](int64_t t) {
        return slm::mask_value(random, kRate, static_cast<uint64_t>(t), kSize, i);
      };
      CHECK(value(text) == 0 || value(text) == scale);
      dropped += value(text) == 0;
      both += value(text) == 0 && value(text + 1) == 0;
    }
  CHECK_NEAR(dropped / (kTexts * kSize), kRate, 0.03);
  CHECK_NEAR(both / (kTexts * kSize), kRate * kRate, 0.03);
}

// Not a matter of the seed alone: the next window of a run drops others, and none drops nothing.
void test_layers_drop() {
  const slm::Model model = make_model(rich());
  const slm::Dropout none, one{0, 11, 0, 0, 0.5f, 64}, same = one, other{0, 11, 0, 0, 0.5f, 128};
  const slm::State state = warm_state(model, 4);
  const auto loss_with = [&](const slm::Dropout& dropout) {
    return run(model, 9, 4, false, dropout, state).loss;
  };
  const double loss = loss_with(one);
  CHECK_EQ(loss_with(same), loss);
  CHECK(loss_with(other) != loss);
  CHECK(loss_with(none) != loss);
}

// Along its gradient g, a step of a tensor raises the loss by |g|.
void test_gradients_are_of_what_was_computed() {
  constexpr double kStep = 2e-3;
  for (const slm::Config& config : {normed(), rich()}) {
    slm::Model model = make_model(config);
    const slm::Dropout dropout{0.3f, 11, 64, 0, 0.4f, 64};
    const slm::State state = warm_state(model, 4);
    const Floats gradients = run(model, 17, 4, false, dropout, state).gradients;
    Floats all(gradients.size());
    model.parameters(all.data());
    for (const slm::Tensor& tensor : slm::impl_of(model).table.tensors()) {
      const float* g = gradients.data() + tensor.offset;
      const auto size = static_cast<size_t>(tensor.info.size);
      const float* before = all.data() + tensor.offset;
      Floats moved(size);
      double squares = 0;
      for (size_t i = 0; i < size; ++i) squares += double{g[i]} * g[i];
      const auto loss_at = [&](double step) {
        for (size_t i = 0; i < size; ++i)
          moved[i] = static_cast<float>(before[i] + step / std::sqrt(squares) * g[i]);
        model.set_parameter(tensor.info.name, moved.data(), tensor.info.size);
        return run(model, 17, 4, false, dropout, state).loss;
      };
      const double derivative = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
      model.set_parameter(tensor.info.name, before, tensor.info.size);
      CHECK_NEAR(derivative, std::sqrt(squares), 2e-3 * std::sqrt(squares) + 1e-4);
    }
  }
}

void test_needs_a_norm() {
  slm::TrainConfig how;
  how.locked_dropout = 0.1f;
  slm::Model plain = make_model(small()), fitting = make_model(rich());
  CHECK_THROWS(slm::ErrorKind::config, "norm \"rms\"", slm::Trainer(plain, how));
  CHECK_EQ(slm::Trainer(fitting, how).steps_done(), 0);
  how.locked_dropout = slm::kAutoDropout;
  CHECK_EQ(slm::Trainer(plain, how).steps_done(), 0);
}

}  // namespace

int main() {
  test_whole_vectors_are_dropped();
  test_parts_of_a_batch_drop_the_same();
  test_gradients_of_what_was_kept();
  test_masks();
  test_layers_drop();
  test_gradients_are_of_what_was_computed();
  test_needs_a_norm();
  return test_result();
}
