#include "train/head_bias.h"

#include <algorithm>
#include <cmath>

#include "text/sample_blocks.h"

namespace slm {
namespace {

constexpr double kUnseen = 1.0 / 512, kUnseenInSample = 0.5;  // added to each byte's count

void write_bias(Net& net, const Tensor& bias, const float* values) {
  net.backend->write(values, bias.info.size, net.weights->flat(), bias.offset);
  net.backend->params_changed(*net.weights);
}

}  // namespace

std::array<float, kVocabSize> log_byte_frequencies(std::string_view text) {
  std::array<int64_t, kVocabSize> counts{};
  size_t total = 0;
  for (const std::string_view block : sample_blocks(text)) {
    for (const char byte : block) ++counts[static_cast<uint8_t>(byte)];
    total += block.size();
  }
  const double added = total == text.size() ? kUnseen : kUnseenInSample;
  const double mass = static_cast<double>(total) + added * static_cast<double>(kVocabSize);
  std::array<float, kVocabSize> logs{};
  for (size_t v = 0; v < logs.size(); ++v)
    logs[v] = static_cast<float>(std::log((static_cast<double>(counts[v]) + added) / mass));
  return logs;
}

bool start_head_bias(Net& net, std::string_view text) {
  const Tensor* bias = net.table.find("head.bias");
  if (bias == nullptr) return false;
  std::array<float, kVocabSize> values{};
  net.backend->read(net.weights->flat(), bias->offset, bias->info.size, values.data());
  if (std::any_of(values.begin(), values.end(), [](float value) { return value != 0; }))
    return false;
  write_bias(net, *bias, log_byte_frequencies(text).data());
  return true;
}

void clear_head_bias(Net& net) {
  const std::array<float, kVocabSize> zeros{};
  write_bias(net, net.table.at("head.bias"), zeros.data());
}

}  // namespace slm
