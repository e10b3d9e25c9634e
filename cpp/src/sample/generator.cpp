#include "slm/generator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "model_impl.h"
#include "numerics/sampling.h"
#include "pass/forward.h"
#include "pass/profile.h"
#include "sample/prompt.h"
#include "sample/text_streamer.h"
#include "util/interrupt.h"
#include "util/require.h"

namespace slm {
namespace {

// More rows gain no speed. A sample does not depend on its batch, so cutting a large one is safe.
constexpr int64_t kMaxRows = 64;
constexpr int64_t kMaxSamples = int64_t{1} << 32;  // the generator's substream has 32 bits

void require_max_bytes(int64_t max_bytes) { require("max_bytes", max_bytes, Range<int64_t>{0}); }

// Samples first, first + 1, ... of one prompt, a byte at a time.
class Batch {
 public:
  Batch(const Model& model, const SampleOptions& options, const PromptState& prompt, int64_t first,
        int64_t rows, int64_t max_bytes)
      : model_(model),
        options_(options),
        state_(repeat_state(model, prompt.state, rows)),
        first_(first),
        max_bytes_(max_bytes),
        tokens_(static_cast<size_t>(rows), prompt.last_byte),
        sampled_(tokens_.size()),
        streamers_(tokens_.size(), TextStreamer(options.stop)) {
    requests_.reserve(tokens_.size());
    if (max_bytes == 0) close();
  }

  bool done() const {
    return std::all_of(streamers_.begin(), streamers_.end(),
                       [](const TextStreamer& o) { return o.closed(); });
  }
  std::string take(size_t row) { return streamers_[row].take(); }

  // Rows that have ended are carried along: their logits are not looked at.
  void advance() {
    poll_interrupt();
    const Net& model = impl_of(model_);
    State::Impl& state = impl_of(state_);
    forward_pass(model, *state.workspace, {tokens_.data(), nullptr, 1, state.batch_size},
                 state.h.get(), nullptr, nullptr);
    ScopedTimer timer("head_logits");
    model.backend->head_logits(*model.weights, *state.workspace, 0, 1);
    requests_.clear();
    for (size_t row = 0; row < streamers_.size(); ++row) {
      const auto number = static_cast<int64_t>(row);
      if (!streamers_[row].closed())
        requests_.push_back(
            {number, static_cast<uint32_t>(first_ + number), static_cast<uint64_t>(position_)});
    }
    timer.next("sample");
    model.backend->sample(*state.workspace, options_, requests_.data(),
                          static_cast<int64_t>(requests_.size()), sampled_.data());
    for (size_t i = 0; i < requests_.size(); ++i) {
      const auto row = static_cast<size_t>(requests_[i].row);
      tokens_[row] = sampled_[i];
      streamers_[row].push(sampled_[i]);
    }
    if (++position_ == max_bytes_) close();
  }

 private:
  void close() {
    for (TextStreamer& streamer : streamers_) {
      if (!streamer.closed()) streamer.close();
    }
  }

  const Model& model_;
  const SampleOptions& options_;
  State state_;
  int64_t first_, max_bytes_, position_ = 0;
  std::vector<uint8_t> tokens_;          // (B,)
  std::vector<SampleRequest> requests_;  // of the rows that go on
  std::vector<uint8_t> sampled_;         // for each of them
  std::vector<TextStreamer> streamers_;
};

std::string next_of(Batch& batch) {
  std::string bytes = batch.take(0);
  while (bytes.empty() && !batch.done()) {
    batch.advance();
    bytes = batch.take(0);
  }
  return bytes;
}

}  // namespace

struct Generator::Impl {
  const Model& model;
  const SampleOptions options;
  std::optional<Batch> current;  // of start() and next()
};

Generator::Generator(const Model& model, const SampleOptions& options) {
  validate(options);
  impl_.reset(new Impl{model, options, {}});
}
Generator::Generator(Generator&&) noexcept = default;
Generator::~Generator() = default;

std::string Generator::generate(std::string_view prompt, int64_t max_bytes,
                                const std::function<bool(std::string_view)>& on_bytes) {
  require_max_bytes(max_bytes);
  Batch batch(impl_->model, impl_->options, read_prompt(impl_->model, prompt), 0, 1, max_bytes);
  std::string text;
  for (std::string bytes = next_of(batch); !bytes.empty(); bytes = next_of(batch)) {
    text += bytes;
    if (on_bytes && !on_bytes(bytes)) break;
  }
  return text;
}

std::vector<std::string> Generator::generate_samples(std::string_view prompt, int64_t max_bytes,
                                                     int64_t num_samples) {
  require_max_bytes(max_bytes);
  require("num_samples", num_samples, Range<int64_t>{1, kMaxSamples});
  const PromptState start = read_prompt(impl_->model, prompt);
  std::vector<std::string> samples;
  for (int64_t first = 0; first < num_samples; first += kMaxRows) {
    const int64_t rows = std::min(kMaxRows, num_samples - first);
    Batch batch(impl_->model, impl_->options, start, first, rows, max_bytes);
    while (!batch.done()) batch.advance();
    for (int64_t row = 0; row < rows; ++row) {
      samples.push_back(batch.take(static_cast<size_t>(row)));
    }
  }
  return samples;
}

void Generator::start(std::string_view prompt, int64_t max_bytes) {
  require_max_bytes(max_bytes);
  impl_->current.emplace(impl_->model, impl_->options, read_prompt(impl_->model, prompt), 0, 1,
                         max_bytes);
}

std::string Generator::next() { return impl_->current ? next_of(*impl_->current) : std::string(); }

}  // namespace slm
