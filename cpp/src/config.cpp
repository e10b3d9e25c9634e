#include "slm/config.h"

#include <cmath>
#include <locale>
#include <sstream>
#include <utility>

#include "slm/error.h"
#include "util/check.h"
#include "util/quote.h"

namespace slm {
namespace {

// What the tensor table, the flat buffers and a file's offsets are planned for.
constexpr int64_t kMaxWidth = 65536;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxParameters = int64_t{1} << 33;
constexpr int64_t kMaxSeqLen = int64_t{1} << 24;
constexpr int64_t kMaxBatchSize = 65536;
constexpr int64_t kMaxSteps = int64_t{1} << 53;  // exact in the schedule's double

Preset seed_preset() {
  Preset preset;
  preset.model.embed_dim = 512;
  preset.model.state_dim = 256;
  preset.model.num_layers = 8;
  preset.model.init = "seed";
  preset.training.seq_len = 1024;
  preset.training.batch_size = 16;
  preset.training.learning_rate = 1e-4f;
  preset.training.clip_norm = 0;
  preset.training.warmup_steps = 0;
  preset.training.schedule = "constant";
  return preset;
}

const std::vector<std::pair<std::string, Preset>>& presets() {
  // seed-small is what Config and TrainConfig start as.
  static const std::vector<std::pair<std::string, Preset>> table = {
      {"seed", seed_preset()},
      {"seed-small", Preset{}},
  };
  return table;
}

template <typename T>
[[noreturn]] void refuse(const char* field, const T& value, const std::string& allowed) {
  std::ostringstream sentence;
  sentence.imbue(std::locale::classic());
  sentence << field << " is " << value << "; it must be " << allowed;
  throw Error(ErrorKind::config, sentence.str());
}

void check_range(const char* field, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high)
    refuse(field, value, "from " + std::to_string(low) + " to " + std::to_string(high));
}

// `fits` is false for NaN, since no comparison with it holds.
void check_real(const char* field, float value, bool fits, const char* allowed) {
  if (!fits || !std::isfinite(value)) refuse(field, value, allowed);
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) list += i + 1 == names.size() ? " or " : ", ";
    list += quote(names[i]);
  }
  return list;
}

void check_choice(const char* field, const std::string& value,
                  const std::vector<std::string>& known) {
  for (const std::string& name : known)
    if (value == name) return;
  refuse(field, quote(value), quoted_list(known));
}

int64_t count_parameters(const Config& config) {
  const int64_t E = config.embed_dim, N = config.state_dim, L = config.num_layers;
  const int64_t outputs = (L - 1) * E + kVocabSize;  // rows of C and of D in all layers
  return kVocabSize * E + L * (N * N + N * E) + outputs * (N + E);
}

}  // namespace

Preset preset(const std::string& name) {
  for (const auto& [known, preset] : presets())
    if (known == name) return preset;
  refuse("preset", quote(name), quoted_list(preset_names()));
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& entry : presets()) names.push_back(entry.first);
  return names;
}

void validate(const Config& config) {
  check_choice("cell", config.cell, {"dense"});
  check_range("embed_dim", config.embed_dim, 1, kMaxWidth);
  check_range("state_dim", config.state_dim, 1, kMaxWidth);
  check_range("num_layers", config.num_layers, 1, kMaxLayers);
  check_choice("init", config.init, {"seed", "tuned"});
  const int64_t parameters = count_parameters(config);
  if (parameters > kMaxParameters)
    refuse("the number of parameters (by embed_dim, state_dim and num_layers)", parameters,
           "at most " + std::to_string(kMaxParameters));
}

void validate(const TrainConfig& config) {
  check_range("steps", config.steps, 1, kMaxSteps);
  check_range("seq_len", config.seq_len, 1, kMaxSeqLen);
  check_range("batch_size", config.batch_size, 1, kMaxBatchSize);
  check_range("seq_len times batch_size", config.seq_len * config.batch_size, 1, kMaxPositions);
  check_real("learning_rate", config.learning_rate, config.learning_rate > 0, "finite, above 0");
  const auto is_beta = [](float beta) { return beta >= 0 && beta < 1; };
  check_real("beta1", config.beta1, is_beta(config.beta1), "at least 0 and below 1");
  check_real("beta2", config.beta2, is_beta(config.beta2), "at least 0 and below 1");
  check_real("epsilon", config.epsilon, config.epsilon > 0, "finite, above 0");
  check_real("weight_decay", config.weight_decay, config.weight_decay >= 0, "finite, at least 0");
  check_real("clip_norm", config.clip_norm, config.clip_norm >= 0,
             "finite, at least 0 (0 does not clip)");
  check_range("warmup_steps", config.warmup_steps, 0, kMaxSteps);
  check_choice("schedule", config.schedule, {"cosine", "constant"});
  check_choice("sampling", config.sampling, {"random", "stream"});
}

}  // namespace slm
