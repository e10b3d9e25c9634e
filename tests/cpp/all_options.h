#pragma once
#include "slm/config.h"

// Turns every option of a model on; its sizes stay. N-gram and match tables are narrow, so that
// they are projected.
inline slm::Config with_all_options(slm::Config config) {
  config.cell = slm::Cell::gated;
  config.residual = true;
  config.norm = slm::Norm::rms;
  config.mlp_dim = 11;
  config.tie_embeddings = true;
  config.head_bias = true;
  config.ngram_orders = {2, 3, 5};
  config.ngram_buckets = 64;
  config.ngram_dim = 6;
  config.match_lengths = {2, 3};
  config.match_span = 30;
  return config;
}
