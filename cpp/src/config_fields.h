#pragma once
// The fields of the configs in one list, with the values that each may have: files, Python and
// validate() all walk it.
#include <string>
#include <vector>

#include "numerics/ngram.h"
#include "slm/config.h"
#include "slm/generator.h"
#include "util/require.h"

namespace slm {

// The names of a choice's values in files and in Python, in the order of the enum.
inline std::vector<std::string> choice_names(Cell) { return {"dense", "gated"}; }
inline std::vector<std::string> choice_names(Init) { return {"seed", "tuned"}; }
inline std::vector<std::string> choice_names(Norm) { return {"none", "rms"}; }
inline std::vector<std::string> choice_names(Schedule) { return {"cosine", "constant"}; }
inline std::vector<std::string> choice_names(Sampling) { return {"random", "stream"}; }
inline std::vector<std::string> choice_names(FinishReason) {
  return {"length", "stop", "end", "cancelled"};
}

template <typename Choice>
std::string choice_name(Choice choice) {
  return choice_names(choice).at(static_cast<size_t>(choice));
}

// Throws Error(config) for a name that is none of the choice's.
template <typename Choice>
Choice choice_of(const std::string& field, const std::string& name) {
  return static_cast<Choice>(require_choice(field, name, choice_names(Choice{})));
}

// Whether a file must have a field. One that was added after format 1 was first written may be
// missing; its default then has the meaning that such files rely on.
enum class Presence { required, optional };

// The values that a field may have: Range, or one of these.
struct AnyValue {};
struct RisingList {  // from 2 to `high`, each above the one before it
  int64_t high;
};
struct DropProbability {};  // at least 0 and below 1, or kAutoDropout

// Limits under which sizes and file offsets cannot overflow.
inline constexpr int64_t kMaxWidth = 65536;
inline constexpr int64_t kMaxLayers = 1024;
inline constexpr int64_t kMaxBuckets = int64_t{1} << 24;
inline constexpr int64_t kMaxMatchLength = 32;
inline constexpr int64_t kMaxMatchSpan = 1 << 20;
inline constexpr int64_t kMaxSeqLen = int64_t{1} << 24;
inline constexpr int64_t kMaxBatchSize = 65536;

// Calls f(name, pointer to member, presence, allowed values) for every field.
template <typename F>
void for_each_member(const Config*, F&& f) {
  using Integer = Range<int64_t>;
  constexpr Presence required = Presence::required, optional = Presence::optional;
  f("cell", &Config::cell, required, AnyValue{});
  f("embed_dim", &Config::embed_dim, required, Integer{1, kMaxWidth});
  f("state_dim", &Config::state_dim, required, Integer{1, kMaxWidth});
  f("num_layers", &Config::num_layers, required, Integer{1, kMaxLayers});
  f("init", &Config::init, required, AnyValue{});
  f("residual", &Config::residual, optional, AnyValue{});
  f("norm", &Config::norm, optional, AnyValue{});
  f("mlp_dim", &Config::mlp_dim, optional, Integer{0, kMaxWidth});
  f("tie_embeddings", &Config::tie_embeddings, optional, AnyValue{});
  f("head_bias", &Config::head_bias, optional, AnyValue{});
  f("ngram_orders", &Config::ngram_orders, optional, RisingList{kMaxNgramOrder});
  f("ngram_buckets", &Config::ngram_buckets, optional, Integer{1, kMaxBuckets});
  f("ngram_dim", &Config::ngram_dim, optional, Integer{0, kMaxWidth});
  f("match_lengths", &Config::match_lengths, optional, RisingList{kMaxMatchLength});
  f("match_span", &Config::match_span, optional, Integer{1, kMaxMatchSpan});
  f("documents", &Config::documents, optional, AnyValue{});
  f("fixed_share", &Config::fixed_share, optional, Range<float>{0, 0.5f});
}

template <typename F>
void for_each_member(const TrainConfig*, F&& f) {
  using Integer = Range<int64_t>;
  using Real = Range<float>;
  constexpr Presence required = Presence::required, optional = Presence::optional;
  const Real above_zero{0, Real{0}.high, true}, at_least_zero{0}, momentum{0, 1, false, true};
  f("steps", &TrainConfig::steps, required, Integer{1, kMaxSteps});
  f("seq_len", &TrainConfig::seq_len, required, Integer{1, kMaxSeqLen});
  f("batch_size", &TrainConfig::batch_size, required, Integer{1, kMaxBatchSize});
  f("learning_rate", &TrainConfig::learning_rate, required, above_zero);
  f("beta1", &TrainConfig::beta1, required, momentum);
  f("beta2", &TrainConfig::beta2, required, momentum);
  f("epsilon", &TrainConfig::epsilon, required, above_zero);
  f("weight_decay", &TrainConfig::weight_decay, required, at_least_zero);
  f("clip_norm", &TrainConfig::clip_norm, required, at_least_zero);
  f("warmup_steps", &TrainConfig::warmup_steps, required, Integer{0, kMaxSteps});
  f("schedule", &TrainConfig::schedule, required, AnyValue{});
  f("sampling", &TrainConfig::sampling, required, AnyValue{});
  f("seed", &TrainConfig::seed, required, AnyValue{});
  f("recompute", &TrainConfig::recompute, optional, AnyValue{});
  f("min_lr_ratio", &TrainConfig::min_lr_ratio, optional, Real{0, 1});
  f("table_lr_scale", &TrainConfig::table_lr_scale, optional, at_least_zero);
  f("dropout", &TrainConfig::dropout, optional, DropProbability{});
  f("locked_dropout", &TrainConfig::locked_dropout, optional, DropProbability{});
  f("input_noise", &TrainConfig::input_noise, optional, DropProbability{});
  f("max_spectral_radius", &TrainConfig::max_spectral_radius, optional, at_least_zero);
  f("cold_fraction", &TrainConfig::cold_fraction, optional, Real{0, 1});
}

// Calls f(name, value, presence) for every field.
template <typename C, typename F>
void for_each_field(C& config, F&& f) {
  for_each_member(&config, [&](const char* name, auto member, Presence presence, const auto&) {
    f(name, config.*member, presence);
  });
}

// Whether two configs agree in every field.
template <typename C>
bool same_fields(const C& a, const C& b) {
  bool same = true;
  for_each_member(&a, [&](const char*, auto member, Presence, const auto&) {
    same = same && a.*member == b.*member;
  });
  return same;
}

}  // namespace slm
