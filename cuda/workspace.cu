#include <algorithm>

#include "workspace.cuh"

namespace slm {

CudaWeights::CudaWeights(const DeviceMemory& memory, const Config& config,
                         const TensorTable& source)
    : table(source),
      values(memory, table.num_parameters()),
      embedding(table.at("embedding.weight").offset),
      norm(table.find("norm.weight")),
      head(has_head(config) ? &table.at(config.tie_embeddings ? "embedding.weight" : "head.weight")
                            : nullptr) {
  for (int64_t i = 0; i < config.num_layers; ++i) layers.emplace_back(table, i);
}

CudaWorkspace::CudaWorkspace(const DeviceMemory& memory, const Config& model,
                             const WorkspaceShape& window)
    : config(model),
      ngrams(config, TensorTable(config)),
      shape(window),
      E(config.embed_dim),
      N(config.state_dim),
      L(config.num_layers),
      M(config.mlp_dim),
      K(history_size(config)),
      B(shape.batch_size),
      T(shape.seq_len),
      gated(config.cell == "gated"),
      normed(config.norm == "rms"),
      positions(T * B),
      backward_positions(shape.training ? positions : 0),
      levels(L + (has_head(config) ? 1 : 0)),
      scan_halvings(gated ? 0 : scan_levels(T, N, B)),
      tokens(memory, positions),
      targets(memory, positions),
      past(memory, B * K),
      rows(memory, positions * ngrams.orders),
      u(memory, levels * positions * E),
      h(memory, L * (T + 1) * B * N),
      gates(memory, gated ? L * positions * 3 * N : 0),
      mids(memory, M > 0 ? L * positions * E : 0),
      q(memory, L * positions * 2 * M),
      losses(memory, positions),
      logits(memory, positions * kVocabSize),
      s(memory, positions * N),
      v(memory, normed ? positions * E : 0),
      m(memory, positions * M),
      powers(memory, scan_halvings * N * N),
      requests(memory, shape.training ? 0 : B),
      sampled(memory, shape.training ? 0 : B),
      dy(memory, backward_positions * E),
      du(memory, backward_positions * E),
      dh(memory, shape.training ? (T + 1) * B * N : 0),
      dh_next(memory, shape.training ? L * B * N : 0),
      d_gates(memory, gated ? backward_positions * 3 * N : 0),
      dv(memory, normed ? backward_positions * E : 0),
      dm(memory, backward_positions * M),
      dq(memory, backward_positions * 2 * M),
      dn(memory, backward_positions * E),
      dx(memory, ngrams.narrow ? backward_positions * ngrams.orders * ngrams.width : 0),
      block_sums(memory,
                 shape.training ? std::max(normed ? kSumBlocks * E : 0, gated ? B * 3 * N : 0) : 0),
      occurrences(memory, backward_positions * ngrams.orders),
      sorted(memory, backward_positions * ngrams.orders),
      digit_counts(memory, num_blocks(backward_positions * ngrams.orders, kSortTile) * kDigits),
      drop_numbers(memory, shape.training ? 1 : 0),
      masks(memory, shape.training && normed ? L * B * E : 0) {}

CudaLayerChunk::CudaLayerChunk(const CudaWeights& all_weights, CudaWorkspace& ws, int64_t index,
                               int64_t from, int64_t to)
    : weights(all_weights),
      w(weights.layers[static_cast<size_t>(index)]),
      layer(index),
      t0(from),
      steps(to - from),
      B(ws.B),
      E(ws.E),
      N(ws.N),
      positions(steps * B),
      makes_logits(weights.head == nullptr && index + 1 == ws.L),
      residual(ws.config.residual),
      norm(weights.at(w.norm)),
      mask(ws.mask(index)),
      u(ws.u_at(index, from)),
      v(norm != nullptr ? ws.row_of(ws.v, from, E) : u),
      y(makes_logits ? nullptr : ws.y_at(index, from)),
      h(ws.h_at(index, from)),
      s(ws.row_of(ws.s, from, N)) {}

CudaChunkGradients::CudaChunkGradients(const CudaLayerChunk& chunk, CudaWorkspace& ws)
    : O(chunk.makes_logits ? kVocabSize : chunk.E),
      dy(chunk.makes_logits ? device_data(ws.logits) : ws.row_of(ws.dy, chunk.t0, chunk.E)),
      du(ws.row_of(ws.du, chunk.t0, chunk.E)),
      dv(ws.row_of(ws.dv, chunk.t0, chunk.E)),
      dh(ws.row_of(ws.dh, chunk.t0, chunk.N)),
      carried(device_data(ws.dh_next) + chunk.layer * chunk.B * chunk.N),
      dx(chunk.norm != nullptr ? dv : du),
      dx_begun(chunk.norm == nullptr && chunk.residual) {}

}  // namespace slm
