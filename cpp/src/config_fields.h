#pragma once
// The fields of the configs by name, in one list: files, Python and the command line all walk it.
#include "slm/config.h"

namespace slm {

// Whether a file must have a field. One that was added after format 1 was first written may be
// missing; its default then has the meaning that such files rely on.
enum class Presence { required, optional };

// Calls f(name, pointer to member, presence) for every field.
template <typename F>
void for_each_member(const Config*, F&& f) {
  f("cell", &Config::cell, Presence::required);
  f("embed_dim", &Config::embed_dim, Presence::required);
  f("state_dim", &Config::state_dim, Presence::required);
  f("num_layers", &Config::num_layers, Presence::required);
  f("init", &Config::init, Presence::required);
  f("residual", &Config::residual, Presence::optional);
  f("norm", &Config::norm, Presence::optional);
  f("mlp_dim", &Config::mlp_dim, Presence::optional);
  f("tie_embeddings", &Config::tie_embeddings, Presence::optional);
  f("ngram_orders", &Config::ngram_orders, Presence::optional);
  f("ngram_buckets", &Config::ngram_buckets, Presence::optional);
  f("ngram_dim", &Config::ngram_dim, Presence::optional);
  f("match_lengths", &Config::match_lengths, Presence::optional);
  f("match_span", &Config::match_span, Presence::optional);
}

template <typename F>
void for_each_member(const TrainConfig*, F&& f) {
  f("steps", &TrainConfig::steps, Presence::required);
  f("seq_len", &TrainConfig::seq_len, Presence::required);
  f("batch_size", &TrainConfig::batch_size, Presence::required);
  f("learning_rate", &TrainConfig::learning_rate, Presence::required);
  f("beta1", &TrainConfig::beta1, Presence::required);
  f("beta2", &TrainConfig::beta2, Presence::required);
  f("epsilon", &TrainConfig::epsilon, Presence::required);
  f("weight_decay", &TrainConfig::weight_decay, Presence::required);
  f("clip_norm", &TrainConfig::clip_norm, Presence::required);
  f("warmup_steps", &TrainConfig::warmup_steps, Presence::required);
  f("schedule", &TrainConfig::schedule, Presence::required);
  f("sampling", &TrainConfig::sampling, Presence::required);
  f("seed", &TrainConfig::seed, Presence::required);
  f("recompute", &TrainConfig::recompute, Presence::optional);
  f("min_lr_ratio", &TrainConfig::min_lr_ratio, Presence::optional);
  f("table_lr_scale", &TrainConfig::table_lr_scale, Presence::optional);
  f("dropout", &TrainConfig::dropout, Presence::optional);
  f("locked_dropout", &TrainConfig::locked_dropout, Presence::optional);
  f("input_noise", &TrainConfig::input_noise, Presence::optional);
  f("max_spectral_radius", &TrainConfig::max_spectral_radius, Presence::optional);
}

template <typename C, typename F>
void for_each_field(C& config, F&& f) {
  for_each_member(&config, [&](const char* name, auto member, Presence presence) {
    f(name, config.*member, presence);
  });
}

// Whether two configs agree in every field.
template <typename C>
bool same_fields(const C& a, const C& b) {
  bool same = true;
  for_each_member(
      &a, [&](const char*, auto member, Presence) { same = same && a.*member == b.*member; });
  return same;
}

}  // namespace slm
