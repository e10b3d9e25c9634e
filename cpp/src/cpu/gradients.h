#pragma once
// The gradients of the CPU backend: those of all dense tensors in one array, and row-sparse
// gradients of the n-gram and match tables.
#include <vector>

#include "cpu/memory.h"

namespace slm {

// The gradient of a touched row. Most rows occur once in a step. If the table is as wide as the
// embedding, the gradient of such a row is that of the embedding at its position, so `values`
// points to it: copying it for each table would move more memory than everything else that is done
// with it. A row gets memory of its own only when a sum has to be formed.
struct RowGrad {
  const float* values = nullptr;  // (width,); null before the first occurrence is added
  float* own = nullptr;           // memory for the sum, or null
};

// The row-sparse gradient of one table: each row touched in a step gets a slot. There are as many
// slots as a window has positions, or as the table has rows if these are fewer.
struct SparseGradient {
  SparseGradient(const Tensor& tensor, int64_t num_slots, int64_t num_sums);

  // The slot of a row; a row that has none gets the next free one.
  int64_t slot(int32_t row) {
    int32_t& slot = slot_of_row[row];
    if (slot < 0) {
      slot = static_cast<int32_t>(count);
      rows[count] = row;
      slots[count++] = {};
    }
    return slot;
  }
  // Memory for a sum. There is enough for all rows that occur twice or, in a table that is narrower
  // than the embedding, for all rows.
  float* take() { return sums.get() + taken++ * table->cols(); }
  // Frees all slots; slot_of_row must be -1 everywhere.
  void restart() { count = taken = 0; }

  const Tensor* table;
  CpuArray<int32_t> slot_of_row;  // -1: has not occurred
  CpuArray<int32_t> rows;         // of each slot
  CpuArray<int32_t> counts;       // of each slot, for sparse_gradients.cpp: zero in between
  CpuArray<RowGrad> slots;
  int64_t count = 0;  // slots in use
  FloatArray sums;    // (sums, width)
  int64_t taken = 0;  // of these
};

struct CpuGradients final : Gradients {
  CpuGradients(const TensorTable& table, int64_t positions);

  // Memory for the gradients of embeddings, (positions, E), to which slots refer until the update.
  float* next_embeddings(int64_t positions);
  void restart();

  TensorTable table;  // a copy, to which the gradients of the tables point
  FloatArray dense;   // (num_dense,)
  std::vector<SparseGradient> sparse_tables;
  double loss = 0;

 private:
  FloatArray embeddings_;
  int64_t used_ = 0;  // floats of it
};

}  // namespace slm
