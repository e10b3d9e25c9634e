#include "cpu/gradients.h"

#include <algorithm>

namespace slm {
namespace {

// Whether rows refer to the gradient of the embedding.
bool refers(const TensorTable& table, const Tensor& tensor) {
  return tensor.cols() == table.at("embedding.weight").cols();
}

int64_t num_slots(const Tensor& tensor, int64_t positions) {
  return std::min(tensor.rows(), positions);
}

// A row that refers needs a sum when it occurs a second time.
int64_t num_sums(const TensorTable& table, const Tensor& tensor, int64_t positions) {
  return num_slots(tensor, refers(table, tensor) ? positions / 2 : positions);
}

int64_t embeddings_size(const TensorTable& table, int64_t positions) {
  for (const Tensor& tensor : table.tensors())
    if (tensor.sparse && refers(table, tensor)) return positions * tensor.cols();
  return 0;
}

}  // namespace

SparseGradient::SparseGradient(const Tensor& tensor, int64_t num_slots, int64_t num_sums)
    : table(&tensor),
      slot_of_row(static_cast<size_t>(tensor.rows()), -1),
      rows(static_cast<size_t>(num_slots)),
      counts(rows.size()),
      slots(rows.size()),
      sums(num_sums * tensor.cols()) {}

CpuGradients::CpuGradients(const TensorTable& source, int64_t positions)
    : table(source), dense(table.num_dense()), embeddings_(embeddings_size(table, positions)) {
  for (const Tensor& tensor : table.tensors())
    if (tensor.sparse)
      sparse_tables.emplace_back(tensor, num_slots(tensor, positions),
                                 num_sums(table, tensor, positions));
}

int64_t CpuGradients::bytes(const TensorTable& table, int64_t positions) {
  constexpr int64_t kIndex = sizeof(int32_t), kFloat = sizeof(float);
  int64_t bytes = (table.num_dense() + embeddings_size(table, positions)) * kFloat;
  for (const Tensor& tensor : table.tensors())
    if (tensor.sparse)
      bytes += tensor.rows() * kIndex +
               num_slots(tensor, positions) * int64_t{2 * kIndex + sizeof(RowGrad)} +
               num_sums(table, tensor, positions) * tensor.cols() * kFloat;
  return bytes;
}

float* CpuGradients::next_embeddings(int64_t positions) {
  float* next = embeddings_.get() + used_;
  used_ += positions * table.at("embedding.weight").cols();
  return next;
}

void CpuGradients::restart() {
  for (SparseGradient& lookup : sparse_tables) lookup.restart();
  used_ = 0;
  loss = 0;
}

}  // namespace slm
