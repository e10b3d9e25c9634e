// Whole models: training steps, texts and scores through the public classes are those of the CPU,
// and files go from one device to the other without a bit lost.
#include "model_impl.h"
#include "samples.h"
#include "slm/generator.h"
#include "temporary_folder.h"
#include "whole_models.h"

namespace {

constexpr int64_t kSteps = 4;  // the third is the first whose operations are only replayed

// Tensor by tensor, since one may be much smaller than another.
void check_tensors(const slm::Model& model, const Floats& cuda, const Floats& cpu) {
  for (const slm::Tensor& tensor : slm::impl_of(model).table.tensors())
    check_close(part_of(cuda, tensor), part_of(cpu, tensor));
}

void check_near(double cuda, double cpu) {
  CHECK_NEAR(cuda, cpu, 1e-4 * std::abs(cpu));
  ++values_compared;
}

struct Window {
  Window(int64_t step, int64_t seq_len, int64_t batch_size) {
    const std::string text = text_of(1000);
    for (int64_t i = 0; i < seq_len * batch_size; ++i) {
      const int64_t t = step * seq_len + i / batch_size, b = i % batch_size;
      inputs.push_back(static_cast<uint8_t>(text[static_cast<size_t>(t + 150 * b)]));
      targets.push_back(static_cast<uint8_t>(text[static_cast<size_t>(t + 150 * b + 1)]));
    }
  }
  Bytes inputs, targets;
};

void test_gradients(const slm::Config& config, int64_t seq_len, int64_t batch_size) {
  const slm::Model cuda = make_model(config, "cuda"), cpu = make_model(config, "cpu");
  const Window window(0, seq_len, batch_size);
  const auto gradients_of = [&](const slm::Model& model, Floats& gradients) {
    gradients.resize(static_cast<size_t>(model.num_parameters()));
    return model.gradients(window.inputs.data(), window.targets.data(), seq_len, batch_size,
                           nullptr, gradients.data());
  };
  Floats on_cuda, on_cpu;
  check_near(gradients_of(cuda, on_cuda), gradients_of(cpu, on_cpu));
  check_tensors(cpu, on_cuda, on_cpu);
}

void test_training(const slm::Config& config, int64_t seq_len, int64_t batch_size,
                   slm::TrainConfig how) {
  how.learning_rate = 2e-3f;
  how.warmup_steps = 2;
  slm::Model cuda = make_model(config, "cuda"), cpu = make_model(config, "cpu");
  slm::Trainer on_cuda(cuda, how), on_cpu(cpu, how);
  slm::State cuda_state = cuda.new_state(batch_size), cpu_state = cpu.new_state(batch_size);
  for (int64_t step = 0; step < kSteps; ++step) {
    const Window window(step, seq_len, batch_size);
    const auto train = [&](slm::Trainer& trainer, slm::State& state) {
      return trainer.step(window.inputs.data(), window.targets.data(), seq_len, batch_size, &state);
    };
    check_near(train(on_cuda, cuda_state), train(on_cpu, cpu_state));
    check_near(on_cuda.grad_norm(), on_cpu.grad_norm());
    check_tensors(cpu, parameters_of(cuda), parameters_of(cpu));
  }
  check_close(read_all(*slm::impl_of(cuda).backend, *slm::impl_of(cuda_state).h),
              read_all(*slm::impl_of(cpu).backend, *slm::impl_of(cpu_state).h));
}

// Parts of a text by themselves, more of them than a batch has rows.
void test_lines(const slm::Model& cuda, const slm::Model& cpu, std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t i = 0; i < 70; ++i) lines.push_back(text.substr(i, i % 4));
  const std::vector<slm::Score> on_cuda = cuda.score_many(lines), on_cpu = cpu.score_many(lines);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    check_near(on_cuda[i].nats_per_byte, on_cpu[i].nats_per_byte);
    if (i > 64) CHECK_EQ(on_cuda[i].nats_per_byte, cuda.score(lines[i]).nats_per_byte);
  }
}

void test_reading(const slm::Config& config) {
  const slm::Model cuda = make_model(config, "cuda"), cpu = make_model(config, "cpu");
  const std::string text = text_of(300);
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  Floats cuda_log_probs(text.size()), cpu_log_probs(text.size());
  const slm::Score on_cuda = cuda.score(bytes, text.size(), cuda_log_probs.data());
  const slm::Score on_cpu = cpu.score(bytes, text.size(), cpu_log_probs.data());
  check_near(on_cuda.nats_per_byte, on_cpu.nats_per_byte);
  check_close(cuda_log_probs, cpu_log_probs);
  test_lines(cuda, cpu, text);

  Floats cuda_logits(text.size() * slm::kVocabSize), cpu_logits(cuda_logits.size());
  slm::State cuda_state = cuda.new_state(3), cpu_state = cpu.new_state(3);
  for (int i = 0; i < 2; ++i) {  // the second from where the first ended
    cuda.logits(bytes, 100, 3, &cuda_state, cuda_logits.data());
    cpu.logits(bytes, 100, 3, &cpu_state, cpu_logits.data());
    check_close(cuda_logits, cpu_logits);
  }
}

void test_generation(const slm::Config& config) {
  const slm::Model cuda = make_model(config, "cuda"), cpu = make_model(config, "cpu");
  for (const slm::SampleOptions& options :
       {slm::SampleOptions{0, 0, 1, 0, 1, {}}, slm::SampleOptions{0.7f, 50, 0.9f, 0.01f, 2, {}}}) {
    slm::Generator on_cuda(cuda, options), on_cpu(cpu, options);
    const auto texts = texts_of(on_cuda.generate_samples("the ", 12, 3));
    CHECK(texts == texts_of(on_cpu.generate_samples("the ", 12, 3)));
    for (const std::string& text : texts) values_compared += static_cast<int64_t>(text.size());
    CHECK_EQ(on_cuda.generate("", 9), on_cpu.generate("", 9));
  }
}

// With the file a run goes on, on the other device, where it stopped.
void test_files(const slm::Config& config) {
  const TemporaryFolder folder("cuda-files");
  for (const auto& [from, to] : {std::pair("cuda", "cpu"), std::pair("cpu", "cuda")}) {
    const slm::Model model = make_model(config, from);
    model.save(folder.path("model"));
    const slm::Model loaded = slm::Model::load(folder.path("model"), on(to));
    CHECK_EQ(loaded.device(), to);
    CHECK(same_bits(parameters_of(loaded), parameters_of(model)));
  }
}

void test_resume(const slm::Config& config) {
  const TemporaryFolder folder("cuda-resume");
  const std::string text = text_of(900);
  slm::TrainConfig how;
  how.seq_len = 16;
  how.batch_size = 2;
  how.learning_rate = 2e-3f;
  how.dropout = 0.2f;
  slm::FitOptions options;
  options.steps = 6;
  options.validation_fraction = 0;
  const auto train = [&](const char* device, const char* checkpoint, int64_t last, bool resume) {
    slm::Model model = make_model(config, device);
    slm::Trainer trainer(model, how);
    slm::FitOptions run = options;
    run.checkpoint = folder.path(checkpoint);
    run.resume = resume;
    trainer.fit(text, run, [&](const slm::Progress& progress) { return progress.step < last; });
    return parameters_of(model);
  };
  const Floats cpu = train("cpu", "cpu", 6, false);
  train("cuda", "mixed", 3, false);
  const slm::Model any = make_model(config, "cpu");
  check_tensors(any, train("cpu", "mixed", 6, true), cpu);
  train("cpu", "other", 3, false);
  check_tensors(any, train("cuda", "other", 6, true), cpu);
}

}  // namespace

int main() {
  slm::TrainConfig plain, dropping, dropping_more, recomputing;
  dropping.dropout = dropping_more.dropout = 0.3f;
  dropping_more.locked_dropout = 0.4f;
  recomputing.recompute = true;
  for (const slm::Config& config : {seed(), dense(1), normed(), gated(), rich()}) {
    test_gradients(config, 33, 3);
    test_training(config, 17, 3, config.norm == slm::Norm::rms ? dropping_more : dropping);
  }
  test_training(seed(), 40, 1, plain);
  test_training(rich(), 5, 2, recomputing);
  for (const slm::Config& config : {seed(), rich()}) {
    test_reading(config);
    test_generation(config);
    test_files(config);
  }
  test_resume(gated());
  return comparison_result();
}
