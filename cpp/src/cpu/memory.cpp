#include "cpu/memory.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

namespace slm {
namespace {

constexpr size_t kCacheLine = 64;

PackedWeight make_packed(const Tensor& tensor, const Kernels& kernels) {
  return {&tensor, FloatArray(kernels.packed_size(tensor.cols(), tensor.rows())),
          FloatArray(kernels.packed_size(tensor.rows(), tensor.cols()))};
}

}  // namespace

FloatArray::FloatArray(int64_t size) {
  size_t space = static_cast<size_t>(size) * sizeof(float) + kCacheLine;
  block_.reset(std::calloc(space, 1));
  void* start = block_.get();
  if (start == nullptr) throw std::bad_alloc();
  aligned_ = static_cast<float*>(
      std::align(kCacheLine, static_cast<size_t>(size) * sizeof(float), start, space));
}

void FloatArray::Free::operator()(void* p) const { std::free(p); }

CpuWeights::CpuWeights(const Config& config, const TensorTable& source, const Kernels& kernels)
    : table(source),
      values(table.num_parameters()),
      embedding(&table.at("embedding.weight")),
      norm(table.find("norm.weight")) {
  const auto pack = [&](PackedWeight& weight, const std::string& name) {
    if (const Tensor* tensor = table.find(name)) weight = make_packed(*tensor, kernels);
  };
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string name = "layers." + std::to_string(i) + ".";
    LayerWeights layer;
    layer.norm = table.find(name + "norm.weight");
    pack(layer.A, name + "A");
    pack(layer.B, name + "B");
    pack(layer.C, name + "C");
    pack(layer.D, name + "D");
    pack(layer.in, name + "in.weight");
    pack(layer.out, name + "out.weight");
    layer.in_bias = table.find(name + "in.bias");
    layer.mlp_norm = table.find(name + "mlp.norm.weight");
    pack(layer.mlp_in, name + "mlp.in.weight");
    pack(layer.mlp_out, name + "mlp.out.weight");
    layers.push_back(std::move(layer));
  }
  if (has_head(config)) pack(head, config.tie_embeddings ? "embedding.weight" : "head.weight");
  for (const SparseTable& lookup : sparse_tables(config)) {
    ngrams.push_back({&table.at(lookup.name + ".weight"), {}});
    pack(ngrams.back().projection, lookup.name + ".projection.weight");
  }
  list_packed();
}

// Once nothing moves any more.
void CpuWeights::list_packed() {
  const auto list = [this](PackedWeight& weight) {
    if (weight.tensor != nullptr) packed.push_back(&weight);
  };
  for (LayerWeights& w : layers)
    for (PackedWeight* weight : {&w.A, &w.B, &w.C, &w.D, &w.in, &w.out, &w.mlp_in, &w.mlp_out})
      list(*weight);
  list(head);
  for (NgramWeights& ngram : ngrams) list(ngram.projection);
}

WorkspacePlan::WorkspacePlan(const Config& config, const WorkspaceShape& shape,
                             int64_t chunk_steps) {
  const int64_t E = config.embed_dim, N = config.state_dim, M = config.mlp_dim;
  const int64_t T = shape.seq_len, B = shape.batch_size, chunk = chunk_steps * B;
  const int64_t width = ngram_width(config);
  const bool gated = config.cell == "gated", norm = config.norm == "rms", narrow = width != E;
  orders = num_sparse_tables(config);
  matches = MatchFinder::bytes(config, T) / static_cast<int64_t>(sizeof(float));
  layers = config.num_layers;
  levels = layers + (has_head(config) ? 1 : 0);
  u = T * B * E;
  h = (T + 1) * B * N;
  losses = T * B;
  logits = chunk * kVocabSize;
  s = chunk * N;
  if (gated) gates = T * B * 3 * N;
  if (norm) v = chunk * E;
  q = T * B * 2 * M;
  m = chunk * M;
  rows = orders * T * B;
  if (orders > 0 && narrow) gathered = chunk * width;
  if (!shape.training) return;
  dh = (chunk_steps + 1) * B * N;
  dy = chunk * E;
  dh_next = layers * B * N;
  table = kVocabSize * E;
  if (gated) d_gates = chunk * 3 * N;
  if (norm) dv = chunk * E;
  dm = chunk * M;
  dq = chunk * 2 * M;
  dn = chunk * E;
  keys = orders * kChunkPositions;
  if (norm) masks = layers * B * E;
}

int64_t WorkspacePlan::total() const {
  const int64_t mids = q > 0 ? u : 0;
  return levels * u + layers * (h + gates + mids + q) + logits + losses + s + v + m + rows +
         matches + gathered + dh + 2 * dy + dh_next + table + d_gates + dv + dm + dq + dn +
         2 * keys + masks;
}

CpuWorkspace::CpuWorkspace(const Config& model, const WorkspaceShape& window,
                           const WorkspacePlan& plan)
    : config(model),
      E(config.embed_dim),
      N(config.state_dim),
      L(config.num_layers),
      M(config.mlp_dim),
      K(history_size(config)),
      B(window.batch_size),
      shape(window),
      matches(config, shape.seq_len),
      rows(static_cast<size_t>(plan.rows)),
      losses(plan.losses),
      logits(plan.logits),
      s(plan.s),
      v(plan.v),
      m(plan.m),
      gathered(plan.gathered),
      dh(plan.dh),
      dy(plan.dy),
      du(plan.dy),
      dh_next(plan.dh_next),
      table(plan.table),
      d_gates(plan.d_gates),
      dv(plan.dv),
      dm(plan.dm),
      dq(plan.dq),
      dn(plan.dn),
      keys(static_cast<size_t>(plan.keys)),
      masks(plan.masks) {
  for (int64_t i = 0; i < plan.levels; ++i) inputs.emplace_back(plan.u);
  for (int64_t i = 0; i < L; ++i) {
    states.emplace_back(plan.h);
    if (plan.gates > 0) all_gates.emplace_back(plan.gates);
    if (M > 0) mids.emplace_back(plan.u);
    if (M > 0) all_q.emplace_back(plan.q);
  }
}

}  // namespace slm
