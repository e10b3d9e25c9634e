#include "slm/generator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "model_impl.h"
#include "pass/forward.h"
#include "pass/profile.h"
#include "sample/prompt.h"
#include "sample/sample_row.h"
#include "util/interrupt.h"
#include "util/require.h"

namespace slm {
namespace {

// More rows gain no speed. A sample does not depend on its batch, so cutting a large one is safe.
constexpr size_t kMaxRows = 64;
constexpr int64_t kMaxSamples = int64_t{1} << 32;  // the generator's substream has 32 bits

using Prompt = std::shared_ptr<PromptState>;

void require_max_bytes(int64_t max_bytes) { require("max_bytes", max_bytes, Range<int64_t>{0}); }

// Samples of some prompts, one of each, a symbol at a time. Row i is sample number numbers[i].
class Batch {
 public:
  Batch(const Model& model, const SampleOptions& options, const std::vector<Prompt>& prompts,
        std::vector<uint32_t> numbers, int64_t max_bytes)
      : net_(impl_of(model)),
        options_(options),
        candidates_(std::make_unique<Candidates>(find_candidates(net_, options))),
        state_(joined_state(model, prompts)),
        numbers_(std::move(numbers)),
        sampled_(numbers_.size()) {
    requests_.reserve(numbers_.size());
    for (const Prompt& prompt : prompts) {
      tokens_.push_back(prompt->last_byte);
      rows_.emplace_back(options, *candidates_, net_.config.documents, *prompt, max_bytes);
    }
  }

  bool done() const {
    return std::all_of(rows_.begin(), rows_.end(),
                       [](const SampleRow& row) { return row.ended(); });
  }
  SampleRow& row(size_t number) { return rows_[number]; }

  // Rows that have ended are carried along: their logits are not looked at.
  void advance() {
    poll_interrupt();
    State::Impl& state = impl_of(state_);
    forward_pass(net_, *state.workspace, {tokens_.data(), nullptr, 1, state.batch_size},
                 state.h.get(), nullptr, nullptr);
    ScopedTimer timer("head_logits");
    net_.backend->head_logits(*net_.weights, *state.workspace, 0, 1);
    requests_.clear();
    for (size_t i = 0; i < rows_.size(); ++i)
      if (!rows_[i].ended())
        requests_.push_back({static_cast<int64_t>(i), numbers_[i], position_, rows_[i].candidates(),
                             repeated_of(rows_[i])});
    timer.next("sample");
    net_.backend->sample(*state.workspace, options_, requests_.data(),
                         static_cast<int64_t>(requests_.size()), sampled_.data());
    for (size_t i = 0; i < requests_.size(); ++i) {
      const auto row = static_cast<size_t>(requests_[i].row);
      tokens_[row] = sampled_[i];
      rows_[row].push(sampled_[i]);
    }
    ++position_;
  }

 private:
  ByteSet repeated_of(const SampleRow& row) const {
    return options_.repetition_penalty == 1 ? ByteSet() : row.repeated();
  }

  const Net& net_;
  const SampleOptions& options_;
  std::unique_ptr<const Candidates> candidates_;  // the rows refer to it
  State state_;
  std::vector<uint32_t> numbers_;
  uint64_t position_ = 0;
  std::vector<uint8_t> tokens_;          // (B,)
  std::vector<SampleRequest> requests_;  // of the rows that go on
  std::vector<uint8_t> sampled_;         // for each of them
  std::vector<SampleRow> rows_;
};

Batch one_row(const Model& model, const SampleOptions& options, std::string_view prompt,
              int64_t max_bytes) {
  require_max_bytes(max_bytes);
  return {
      model, options, {std::make_shared<PromptState>(read_prompt(model, prompt))}, {0}, max_bytes};
}

std::string next_of(Batch& batch) {
  std::string bytes = batch.row(0).take();
  while (bytes.empty() && !batch.done()) {
    batch.advance();
    bytes = batch.row(0).take();
  }
  return bytes;
}

}  // namespace

struct Generator::Impl {
  const Model& model;
  const SampleOptions options;
  std::optional<Batch> current;  // of start() and next()
  std::optional<FinishReason> reason;
  std::string stop;

  void note_end(const SampleRow& row) {
    reason = row.reason();
    stop = row.stop();
  }
};

Generator::Generator(const Model& model, const SampleOptions& options) {
  validate(options);
  find_candidates(impl_of(model), options);
  impl_.reset(new Impl{model, options, {}, {}, {}});
}
Generator::Generator(Generator&&) noexcept = default;
Generator::~Generator() = default;

std::string Generator::generate(std::string_view prompt, int64_t max_bytes,
                                const std::function<bool(std::string_view)>& on_bytes) {
  impl_->reason.reset();
  Batch batch = one_row(impl_->model, impl_->options, prompt, max_bytes);
  SampleRow& row = batch.row(0);
  std::string text;
  for (std::string bytes = next_of(batch); !bytes.empty(); bytes = next_of(batch)) {
    text += bytes;
    if (!on_bytes || on_bytes(bytes)) continue;
    if (!row.ended()) row.cancel();
    break;
  }
  impl_->note_end(row);
  return text;
}

std::vector<Sample> Generator::generate_samples(std::string_view prompt, int64_t max_bytes,
                                                int64_t num_samples) {
  return generate_batch({std::string(prompt)}, max_bytes, num_samples);
}

std::vector<Sample> Generator::generate_batch(const std::vector<std::string>& prompts,
                                              int64_t max_bytes, int64_t num_samples) {
  require_max_bytes(max_bytes);
  require("num_samples", num_samples, Range<int64_t>{1, kMaxSamples});
  std::vector<Sample> samples;
  std::vector<Prompt> rows;  // of the next batch
  std::vector<uint32_t> numbers;
  const auto finish = [&] {
    Batch batch(impl_->model, impl_->options, rows, numbers, max_bytes);
    while (!batch.done()) batch.advance();
    for (size_t i = 0; i < rows.size(); ++i) {
      SampleRow& row = batch.row(i);
      samples.push_back({row.take(), *row.reason(), row.stop()});
    }
    rows.clear();
    numbers.clear();
  };
  for (const std::string& text : prompts) {
    const auto prompt = std::make_shared<PromptState>(read_prompt(impl_->model, text));
    for (int64_t number = 0; number < num_samples; ++number) {
      rows.push_back(prompt);
      numbers.push_back(static_cast<uint32_t>(number));
      if (rows.size() == kMaxRows) finish();
    }
  }
  if (!rows.empty()) finish();
  return samples;
}

void Generator::start(std::string_view prompt, int64_t max_bytes) {
  impl_->current.emplace(one_row(impl_->model, impl_->options, prompt, max_bytes));
  impl_->reason.reset();
  impl_->stop.clear();
}

std::string Generator::next() {
  if (!impl_->current) return {};
  std::string bytes = next_of(*impl_->current);
  impl_->note_end(impl_->current->row(0));
  return bytes;
}

std::optional<FinishReason> Generator::finish_reason() const { return impl_->reason; }
const std::string& Generator::stop() const { return impl_->stop; }

}  // namespace slm
