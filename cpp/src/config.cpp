#include "slm/config.h"

#include <utility>

#include "config_fields.h"
#include "tensors.h"

namespace slm {
namespace {

constexpr int64_t kMaxParameters = int64_t{1} << 33;

Preset seed_preset() {
  Preset preset;
  preset.config.embed_dim = 512;
  preset.config.state_dim = 256;
  preset.config.num_layers = 8;
  preset.config.init = Init::seed;
  preset.train_config.seq_len = 1024;
  preset.train_config.batch_size = 16;
  preset.train_config.learning_rate = 1e-4f;
  preset.train_config.clip_norm = 0;
  preset.train_config.warmup_steps = 0;
  preset.train_config.schedule = Schedule::constant;
  return preset;
}

// The recommended model in one size; benchmarks/quality/ has the search behind the numbers.
Preset recommended(int64_t embed_dim, int64_t state_dim, std::vector<int64_t> ngram_orders,
                   int64_t ngram_buckets, int64_t match_span) {
  Preset preset;
  preset.config.cell = Cell::gated;
  preset.config.residual = true;
  preset.config.norm = Norm::rms;
  preset.config.head_bias = true;
  preset.config.embed_dim = embed_dim;
  preset.config.state_dim = state_dim;
  preset.config.num_layers = 1;
  preset.config.ngram_orders = std::move(ngram_orders);
  preset.config.ngram_buckets = ngram_buckets;
  preset.config.match_lengths = {3, 4, 6};
  preset.config.match_span = match_span;
  preset.config.fixed_share = 2e-4f;
  preset.train_config.sampling = Sampling::stream;
  preset.train_config.min_lr_ratio = 0.02f;
  preset.train_config.beta2 = 0.98f;
  preset.train_config.weight_decay = 0.05f;
  preset.train_config.warmup_steps = 100;
  preset.train_config.dropout = preset.train_config.locked_dropout = kAutoDropout;
  preset.train_config.input_noise = kAutoDropout;
  preset.train_config.cold_fraction = 1.0f / 32;
  return preset;
}

Preset deeper(Preset preset, int64_t num_layers, int64_t mlp_dim) {
  preset.config.num_layers = num_layers;
  preset.config.mlp_dim = mlp_dim;
  return preset;
}

Preset at_rate(float learning_rate, Preset preset) {
  preset.train_config.learning_rate = learning_rate;
  return preset;
}

const std::vector<std::pair<std::string, Preset>>& presets() {
  // seed-small is what Config and TrainConfig start as.
  static const std::vector<std::pair<std::string, Preset>> table = {
      {"nano", at_rate(1.6e-2f, recommended(64, 128, {2, 3, 4}, 4096, 4096))},
      {"small", at_rate(8e-3f, deeper(recommended(128, 192, {2, 3, 4}, 16384, 4096), 2, 0))},
      {"base", at_rate(8e-3f, recommended(128, 256, {2, 3, 4, 5, 6}, 65536, 16384))},
      {"large",
       at_rate(6e-3f, deeper(recommended(128, 96, {2, 3, 4, 5, 6}, 131072, 16384), 3, 96))},
      {"seed", seed_preset()},
      {"seed-small", Preset{}},
  };
  return table;
}

// check(name, value, allowed) throws Error(config) where the value is none that is allowed.
template <typename T>
void check(const std::string&, const T&, AnyValue) {}

template <typename T>
void check(const std::string& name, T value, const Range<T>& range) {
  require(name, value, range);
}

void check(const std::string& name, float value, DropProbability) {
  const Range<float> range{0, 1, false, true};
  if (value != kAutoDropout && !range.holds(value))
    refuse_value(name, number_text(value),
                 range.text() + ", or -1 to choose it by how often the text is read");
}

void check(const std::string& name, const std::vector<int64_t>& values, RisingList allowed) {
  int64_t before = 1;
  for (const int64_t value : values) {
    require("an entry of " + name, value, Range<int64_t>{2, allowed.high});
    if (value <= before)
      refuse_value("an entry of " + name, number_text(value),
                   "above the one before it, " + number_text(before));
    before = value;
  }
}

template <typename C>
void check_fields(const C& config) {
  for_each_member(&config, [&](const char* name, auto member, Presence, const auto& allowed) {
    check(name, config.*member, allowed);
  });
}

}  // namespace

Preset preset(const std::string& name, int64_t text_bytes) {
  constexpr int64_t kFewest = 256;
  require("text_bytes", text_bytes, Range<int64_t>{0});
  Preset fitting = presets()[require_choice("preset", name, preset_names())].second;
  int64_t& buckets = fitting.config.ngram_buckets;
  while (text_bytes > 0 && buckets > kFewest && buckets / 2 >= text_bytes) buckets /= 2;
  return fitting;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& entry : presets()) names.push_back(entry.first);
  return names;
}

void validate(const Config& config) {
  check_fields(config);
  if ((config.ngram_buckets & (config.ngram_buckets - 1)) != 0)
    refuse_value("ngram_buckets", number_text(config.ngram_buckets), "a power of two");
  if (config.head_bias && !has_head(config))
    throw Error(
        ErrorKind::config,
        "head_bias is true, but this model has no head whose logits a bias could be added "
        "to: set head_bias to false (head_bias=False, --no-head-bias), or give the model one by "
        "cell \"gated\", norm \"rms\", residual, mlp_dim or tie_embeddings");
  require("the number of ngram_orders and match_lengths together", num_sparse_tables(config),
          Range<int64_t>{0, kMaxSparseTables});
  require("the number of parameters (by the widths, num_layers and the tables)",
          TensorTable(config).num_parameters(), Range<int64_t>{1, kMaxParameters});
}

void validate(const TrainConfig& config) {
  check_fields(config);
  require("seq_len times batch_size", config.seq_len * config.batch_size,
          Range<int64_t>{1, kMaxPositions});
}

}  // namespace slm
