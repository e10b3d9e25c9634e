#include "slm/config.h"

#include <cmath>
#include <limits>
#include <locale>
#include <sstream>
#include <utility>

#include "numerics/ngram.h"
#include "slm/error.h"
#include "tensors.h"
#include "util/quote.h"

namespace slm {
namespace {

// What the tensor table, the flat buffers and a file's offsets are planned for.
constexpr int64_t kMaxWidth = 65536;
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxBuckets = int64_t{1} << 24;
constexpr int64_t kMaxMatchLength = 32;
constexpr int64_t kMaxMatchSpan = 1 << 20;
constexpr int64_t kMaxParameters = int64_t{1} << 33;
constexpr int64_t kMaxSeqLen = int64_t{1} << 24;
constexpr int64_t kMaxBatchSize = 65536;

Preset seed_preset() {
  Preset preset;
  preset.config.embed_dim = 512;
  preset.config.state_dim = 256;
  preset.config.num_layers = 8;
  preset.config.init = "seed";
  preset.train_config.seq_len = 1024;
  preset.train_config.batch_size = 16;
  preset.train_config.learning_rate = 1e-4f;
  preset.train_config.clip_norm = 0;
  preset.train_config.warmup_steps = 0;
  preset.train_config.schedule = "constant";
  return preset;
}

// The recommended model in one size; benchmarks/quality/ has the search behind the numbers.
Preset recommended(int64_t embed_dim, int64_t state_dim, std::vector<int64_t> ngram_orders,
                   int64_t ngram_buckets, int64_t match_span) {
  Preset preset;
  preset.config.cell = "gated";
  preset.config.residual = true;
  preset.config.norm = "rms";
  preset.config.embed_dim = embed_dim;
  preset.config.state_dim = state_dim;
  preset.config.num_layers = 1;
  preset.config.ngram_orders = std::move(ngram_orders);
  preset.config.ngram_buckets = ngram_buckets;
  preset.config.match_lengths = {3, 4, 6};
  preset.config.match_span = match_span;
  preset.train_config.sampling = "stream";
  preset.train_config.learning_rate = 8e-3f;
  preset.train_config.min_lr_ratio = 0.02f;
  preset.train_config.beta2 = 0.98f;
  preset.train_config.weight_decay = 0.05f;
  preset.train_config.warmup_steps = 100;
  preset.train_config.dropout = preset.train_config.locked_dropout = kAutoDropout;
  preset.train_config.input_noise = kAutoDropout;
  return preset;
}

// More layers train slower, and at a lower rate.
Preset deeper(Preset preset, int64_t num_layers, int64_t mlp_dim, float learning_rate) {
  preset.config.num_layers = num_layers;
  preset.config.mlp_dim = mlp_dim;
  preset.train_config.learning_rate = learning_rate;
  return preset;
}

const std::vector<std::pair<std::string, Preset>>& presets() {
  // seed-small is what Config and TrainConfig start as.
  static const std::vector<std::pair<std::string, Preset>> table = {
      {"nano", recommended(64, 128, {2, 3, 4}, 4096, 4096)},
      {"small", deeper(recommended(128, 192, {2, 3, 4}, 16384, 4096), 2, 0, 4e-3f)},
      {"base", recommended(128, 256, {2, 3, 4, 5, 6}, 65536, 16384)},
      {"large", deeper(recommended(128, 96, {2, 3, 4, 5, 6}, 131072, 16384), 3, 96, 6e-3f)},
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

void check_dropout(const char* field, float share) {
  check_real(field, share, share == kAutoDropout || (share >= 0 && share < 1),
             "at least 0 and below 1, or -1 to choose it by how often the text is read");
}

void check_choice(const char* field, const std::string& value,
                  const std::vector<std::string>& known) {
  for (const std::string& name : known)
    if (value == name) return;
  refuse(field, quote(value), quoted_list(known));
}

void check_rising(const char* entry, const std::vector<int64_t>& values, int64_t most) {
  int64_t before = 1;
  for (const int64_t value : values) {
    check_range(entry, value, 2, most);
    if (value <= before) refuse(entry, value, "above the one before it, " + std::to_string(before));
    before = value;
  }
}

void check_ngrams(const Config& config) {
  check_rising("an order of ngram_orders", config.ngram_orders, kMaxNgramOrder);
  check_range("ngram_buckets", config.ngram_buckets, 1, kMaxBuckets);
  if ((config.ngram_buckets & (config.ngram_buckets - 1)) != 0)
    refuse("ngram_buckets", config.ngram_buckets, "a power of two");
  check_range("ngram_dim", config.ngram_dim, 0, kMaxWidth);
}

void check_matches(const Config& config) {
  check_rising("a length of match_lengths", config.match_lengths, kMaxMatchLength);
  check_range("match_span", config.match_span, 1, kMaxMatchSpan);
  if (num_sparse_tables(config) > kMaxSparseTables)
    refuse("the number of ngram_orders and match_lengths together", num_sparse_tables(config),
           "at most " + std::to_string(kMaxSparseTables));
}

}  // namespace

Preset preset(const std::string& name, int64_t text_bytes) {
  constexpr int64_t kFewest = 256;
  check_range("text_bytes", text_bytes, 0, std::numeric_limits<int64_t>::max());
  for (const auto& [known, found] : presets()) {
    if (known != name) continue;
    Preset fitting = found;
    int64_t& buckets = fitting.config.ngram_buckets;
    while (text_bytes > 0 && buckets > kFewest && buckets / 2 >= text_bytes) buckets /= 2;
    return fitting;
  }
  refuse("preset", quote(name), quoted_list(preset_names()));
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& entry : presets()) names.push_back(entry.first);
  return names;
}

void validate(const Config& config) {
  check_choice("cell", config.cell, {"dense", "gated"});
  check_range("embed_dim", config.embed_dim, 1, kMaxWidth);
  check_range("state_dim", config.state_dim, 1, kMaxWidth);
  check_range("num_layers", config.num_layers, 1, kMaxLayers);
  check_choice("init", config.init, {"seed", "tuned"});
  check_choice("norm", config.norm, {"none", "rms"});
  check_range("mlp_dim", config.mlp_dim, 0, kMaxWidth);
  check_ngrams(config);
  check_matches(config);
  const int64_t parameters = TensorTable(config).num_parameters();
  if (parameters > kMaxParameters)
    refuse("the number of parameters (by the widths, num_layers and the tables)", parameters,
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
  check_real("min_lr_ratio", config.min_lr_ratio,
             config.min_lr_ratio >= 0 && config.min_lr_ratio <= 1, "from 0 to 1");
  check_real("table_lr_scale", config.table_lr_scale, config.table_lr_scale >= 0,
             "finite, at least 0");
  check_dropout("dropout", config.dropout);
  check_dropout("locked_dropout", config.locked_dropout);
  check_dropout("input_noise", config.input_noise);
  check_real("max_spectral_radius", config.max_spectral_radius, config.max_spectral_radius >= 0,
             "finite, at least 0 (0 keeps no bound)");
  check_choice("sampling", config.sampling, {"random", "stream"});
}

}  // namespace slm
