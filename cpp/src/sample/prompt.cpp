#include "sample/prompt.h"

#include <algorithm>
#include <string>
#include <utility>

#include "model_impl.h"
#include "pass/forward.h"
#include "text/documents.h"
#include "util/interrupt.h"

namespace slm {
namespace {

constexpr int64_t kPromptWindow = 256;

void read_symbols(const Net& net, std::string_view symbols, PromptState& result) {
  if (symbols.empty()) return;
  Buffer* h = impl_of(result.state).h.get();
  const auto workspace = net.backend->make_workspace(net.config, {kPromptWindow, 1, false});
  const auto read = [&](const uint8_t* bytes, int64_t count) {
    poll_interrupt();
    forward_pass(net, *workspace, {bytes, nullptr, count, 1}, h, nullptr, nullptr);
  };
  read(&kFirstByte, 1);
  const auto* bytes = reinterpret_cast<const uint8_t*>(symbols.data());
  const int64_t count = static_cast<int64_t>(symbols.size()) - 1;
  for (int64_t start = 0; start < count; start += kPromptWindow) {
    read(bytes + start, std::min(kPromptWindow, count - start));
  }
  result.last_byte = bytes[count];
}

}  // namespace

PromptState read_prompt(const Model& model, std::string_view prompt) {
  PromptState result{model.new_state(1), kFirstByte, ByteSet(prompt), {}};
  for (const char c : prompt) result.characters.push(static_cast<uint8_t>(c));
  const Net& net = impl_of(model);
  if (!net.config.documents) {
    read_symbols(net, prompt, result);
    return result;
  }
  read_symbols(net, escape(prompt), result);
  for (const uint8_t symbol : {kEscapeByte, kEndByte}) result.bytes.remove(symbol);
  return result;
}

State joined_state(const Model& model, const std::vector<std::shared_ptr<PromptState>>& prompts) {
  const Config& config = model.config();
  const auto rows = static_cast<int64_t>(prompts.size());
  std::vector<std::vector<float>> values(prompts.size());  // of each row: (L, N) and then (K)
  for (size_t row = 0; row < prompts.size(); ++row) {
    if (row > 0 && prompts[row] == prompts[row - 1]) {
      values[row] = values[row - 1];
      continue;
    }
    const State::Impl& from = impl_of(prompts[row]->state);
    values[row].resize(static_cast<size_t>(from.h->size()));
    from.backend->read(*from.h, 0, from.h->size(), values[row].data());
  }

  State result = model.new_state(rows);
  std::vector<float> joined;  // (L, B, N) and then (B, K)
  joined.reserve(values[0].size() * values.size());
  const auto add = [&](int64_t offset, int64_t count) {
    for (const std::vector<float>& row : values)
      joined.insert(joined.end(), row.begin() + offset, row.begin() + offset + count);
  };
  for (int64_t layer = 0; layer < config.num_layers; ++layer)
    add(layer * config.state_dim, config.state_dim);
  add(hidden_size(config, 1), history_size(config));
  State::Impl& to = impl_of(result);
  to.backend->write(joined.data(), to.h->size(), *to.h, 0);
  return result;
}

}  // namespace slm
