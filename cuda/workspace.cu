#include "workspace.cuh"

namespace slm {

CudaWeights::CudaWeights(const DeviceMemory& memory, const Config& config,
                         const TensorTable& source)
    : table(source),
      values(memory, table.num_parameters()),
      embedding(table.at("embedding.weight").offset),
      norm(table.find("norm.weight")),
      head(has_head(config) ? &table.at(config.tie_embeddings ? "embedding.weight" : "head.weight")
                            : nullptr),
      head_bias(table.find("head.bias")) {
  for (int64_t i = 0; i < config.num_layers; ++i) layers.emplace_back(table, i);
}

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
      starts(ws.starts(from)),
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
