#pragma once
// The fields of the configs by name, in one list: files, Python and the command line all walk it.
#include "slm/config.h"

namespace slm {

// Whether a file must have a field. One that came after format 1 was first written may be missing
// there; its default then means what such files mean.
enum class FieldAge { original, added };

// Calls f(name, pointer to member, age) for every field.
template <typename F>
void each_member(const Config*, F&& f) {
  f("cell", &Config::cell, FieldAge::original);
  f("embed_dim", &Config::embed_dim, FieldAge::original);
  f("state_dim", &Config::state_dim, FieldAge::original);
  f("num_layers", &Config::num_layers, FieldAge::original);
  f("init", &Config::init, FieldAge::original);
  f("residual", &Config::residual, FieldAge::added);
  f("norm", &Config::norm, FieldAge::added);
  f("mlp_dim", &Config::mlp_dim, FieldAge::added);
  f("tie_embeddings", &Config::tie_embeddings, FieldAge::added);
  f("ngram_orders", &Config::ngram_orders, FieldAge::added);
  f("ngram_buckets", &Config::ngram_buckets, FieldAge::added);
  f("ngram_dim", &Config::ngram_dim, FieldAge::added);
  f("match_lengths", &Config::match_lengths, FieldAge::added);
  f("match_span", &Config::match_span, FieldAge::added);
}

template <typename F>
void each_member(const TrainConfig*, F&& f) {
  f("steps", &TrainConfig::steps, FieldAge::original);
  f("seq_len", &TrainConfig::seq_len, FieldAge::original);
  f("batch_size", &TrainConfig::batch_size, FieldAge::original);
  f("learning_rate", &TrainConfig::learning_rate, FieldAge::original);
  f("beta1", &TrainConfig::beta1, FieldAge::original);
  f("beta2", &TrainConfig::beta2, FieldAge::original);
  f("epsilon", &TrainConfig::epsilon, FieldAge::original);
  f("weight_decay", &TrainConfig::weight_decay, FieldAge::original);
  f("clip_norm", &TrainConfig::clip_norm, FieldAge::original);
  f("warmup_steps", &TrainConfig::warmup_steps, FieldAge::original);
  f("schedule", &TrainConfig::schedule, FieldAge::original);
  f("sampling", &TrainConfig::sampling, FieldAge::original);
  f("seed", &TrainConfig::seed, FieldAge::original);
  f("recompute", &TrainConfig::recompute, FieldAge::added);
  f("final_rate", &TrainConfig::final_rate, FieldAge::added);
  f("ngram_rate", &TrainConfig::ngram_rate, FieldAge::added);
  f("dropout", &TrainConfig::dropout, FieldAge::added);
  f("layer_dropout", &TrainConfig::layer_dropout, FieldAge::added);
  f("noise", &TrainConfig::noise, FieldAge::added);
  f("max_radius", &TrainConfig::max_radius, FieldAge::added);
}

template <typename C, typename F>
void each_field(C& config, F&& f) {
  each_member(&config,
              [&](const char* name, auto member, FieldAge age) { f(name, config.*member, age); });
}

// Whether two configs agree in every field.
template <typename C>
bool same_fields(const C& a, const C& b) {
  bool same = true;
  each_member(&a,
              [&](const char*, auto member, FieldAge) { same = same && a.*member == b.*member; });
  return same;
}

}  // namespace slm
