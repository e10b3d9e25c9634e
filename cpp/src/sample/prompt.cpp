#include "sample/prompt.h"

#include <algorithm>
#include <utility>

#include "model_impl.h"
#include "pass/forward.h"
#include "util/interrupt.h"

namespace slm {
namespace {

constexpr int64_t kPromptWindow = 256;

}  // namespace

PromptState read_prompt(const Model& model, std::string_view prompt) {
  PromptState result{model.new_state(1), kFirstByte};
  if (prompt.empty()) return result;

  const Net& net = impl_of(model);
  Buffer* h = impl_of(result.state).h.get();
  const auto workspace = net.backend->make_workspace(net.config, {kPromptWindow, 1, false});
  const auto read = [&](const uint8_t* bytes, int64_t count) {
    poll_interrupt();
    forward_pass(net, *workspace, {bytes, nullptr, count, 1}, h, nullptr, nullptr);
  };
  read(&kFirstByte, 1);
  const auto* bytes = reinterpret_cast<const uint8_t*>(prompt.data());
  const int64_t count = static_cast<int64_t>(prompt.size()) - 1;
  for (int64_t start = 0; start < count; start += kPromptWindow) {
    read(bytes + start, std::min(kPromptWindow, count - start));
  }
  result.last_byte = bytes[count];
  return result;
}

State repeat_state(const Model& model, const State& one, int64_t rows) {
  const Config& config = model.config();
  const State::Impl& from = impl_of(one);
  std::vector<float> values(static_cast<size_t>(from.h->size()));  // (L, N) and then (K)
  from.backend->read(*from.h, 0, from.h->size(), values.data());

  State result = model.new_state(rows);
  std::vector<float> repeated;  // (L, B, N) and then (B, K)
  repeated.reserve(values.size() * static_cast<size_t>(rows));
  const auto repeat = [&](int64_t offset, int64_t count) {
    const auto begin = values.begin() + offset;
    for (int64_t row = 0; row < rows; ++row) repeated.insert(repeated.end(), begin, begin + count);
  };
  for (int64_t layer = 0; layer < config.num_layers; ++layer)
    repeat(layer * config.state_dim, config.state_dim);
  repeat(hidden_size(config, 1), history_size(config));
  State::Impl& to = impl_of(result);
  to.backend->write(repeated.data(), to.h->size(), *to.h, 0);
  return result;
}

}  // namespace slm
