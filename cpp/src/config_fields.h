#pragma once
// The fields of the configs by name, in one list: files, Python and the command line all walk it.
#include "slm/config.h"

namespace slm {

// Whether a file must have a field. One that came after format 1 was first written may be missing
// there; its default then means what such files mean.
enum class FieldAge { original, added };

template <typename F>
void each_field(Config& c, F&& f) {
  f("cell", c.cell, FieldAge::original);
  f("embed_dim", c.embed_dim, FieldAge::original);
  f("state_dim", c.state_dim, FieldAge::original);
  f("num_layers", c.num_layers, FieldAge::original);
  f("init", c.init, FieldAge::original);
  f("residual", c.residual, FieldAge::added);
  f("norm", c.norm, FieldAge::added);
  f("mlp_dim", c.mlp_dim, FieldAge::added);
  f("tie_embeddings", c.tie_embeddings, FieldAge::added);
  f("ngram_orders", c.ngram_orders, FieldAge::added);
  f("ngram_buckets", c.ngram_buckets, FieldAge::added);
  f("ngram_dim", c.ngram_dim, FieldAge::added);
  f("match_lengths", c.match_lengths, FieldAge::added);
  f("match_span", c.match_span, FieldAge::added);
}

template <typename F>
void each_field(TrainConfig& c, F&& f) {
  f("steps", c.steps, FieldAge::original);
  f("seq_len", c.seq_len, FieldAge::original);
  f("batch_size", c.batch_size, FieldAge::original);
  f("learning_rate", c.learning_rate, FieldAge::original);
  f("beta1", c.beta1, FieldAge::original);
  f("beta2", c.beta2, FieldAge::original);
  f("epsilon", c.epsilon, FieldAge::original);
  f("weight_decay", c.weight_decay, FieldAge::original);
  f("clip_norm", c.clip_norm, FieldAge::original);
  f("warmup_steps", c.warmup_steps, FieldAge::original);
  f("schedule", c.schedule, FieldAge::original);
  f("sampling", c.sampling, FieldAge::original);
  f("seed", c.seed, FieldAge::original);
  f("recompute", c.recompute, FieldAge::added);
  f("final_rate", c.final_rate, FieldAge::added);
  f("ngram_rate", c.ngram_rate, FieldAge::added);
  f("dropout", c.dropout, FieldAge::added);
  f("layer_dropout", c.layer_dropout, FieldAge::added);
  f("noise", c.noise, FieldAge::added);
  f("max_radius", c.max_radius, FieldAge::added);
}

}  // namespace slm
