#include "cpu/gradients.h"

#include <algorithm>

namespace slm {
namespace {

// Whether slots refer to the gradient of the embedding.
bool refers(const TensorTable& table, const Tensor& tensor) {
  return tensor.cols() == table.at("embedding.weight").cols();
}

int64_t num_slots(const Tensor& tensor, int64_t positions) {
  return std::min(tensor.rows(), positions);
}

// A row whose slot refers to the embedding needs a sum when it occurs a second time.
int64_t num_sums(const TensorTable& table, const Tensor& tensor, int64_t positions) {
  return num_slots(tensor, refers(table, tensor) ? positions / 2 : positions);
}

int64_t embeddings_size(const TensorTable& table, int64_t positions) {
  for (const Tensor& tensor : table.tensors())
    if (tensor.info.sparse && refers(table, tensor)) return positions * tensor.cols();
  return 0;
}

}  // namespace

SparseGradient::SparseGradient(const Tensor& tensor, int64_t num_slots, int64_t num_sums)
    : table(&tensor),
      slot_of_row(tensor.rows()),
      rows(num_slots),
      counts(num_slots),
      slots(num_slots),
      sums(num_sums * tensor.cols()) {
  if (slot_of_row.get() != nullptr) std::fill_n(slot_of_row.get(), tensor.rows(), -1);
}

CpuGradients::CpuGradients(const TensorTable& source, int64_t positions)
    : table(source), dense(table.num_dense()), embeddings_(embeddings_size(table, positions)) {
  for (const Tensor& tensor : table.tensors())
    if (tensor.info.sparse)
      sparse_tables.emplace_back(tensor, num_slots(tensor, positions),
                                 num_sums(table, tensor, positions));
}

float* CpuGradients::next_embeddings(int64_t positions) {
  float* next = embeddings_.get() + used_;
  used_ += positions * table.at("embedding.weight").cols();
  return next;
}

void CpuGradients::restart() {
  for (SparseGradient& sparse : sparse_tables) sparse.restart();
  used_ = 0;
  loss = 0;
}

}  // namespace slm
