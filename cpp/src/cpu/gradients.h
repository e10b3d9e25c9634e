#pragma once
// The gradients of the CPU backend: of all dense tensors in one array, and of tables that are
// looked up those of the rows that occur.
#include <vector>

#include "cpu/memory.h"

namespace slm {

// Most rows occur once in a step, and where a table is as wide as an embedding, their gradient is
// that of the embedding at this position, of which all tables take theirs. To copy it for each of
// them would move more memory than all else that is done with it. So memory of its own is what a
// row gets when a sum has to be formed.
struct RowGrad {
  const float* values = nullptr;  // (width,); null: nothing yet
  float* own = nullptr;           // where a sum is, or will be
};

// The gradient of one table. Rows get a slot each as they occur for the first time in a step; there
// is one for every position of a window, or for every row where there are fewer.
struct SparseGradient {
  SparseGradient(const Tensor& tensor, int64_t num_slots, int64_t num_sums);

  // Of a row; the next free one if it has none yet.
  int64_t slot(int32_t row) {
    int32_t& slot = slot_of_row[row];
    if (slot < 0) {
      slot = static_cast<int32_t>(count);
      rows[count] = row;
      slots[count++] = {};
    }
    return slot;
  }
  // Memory for a sum: enough for all rows that occur twice, or for all if none refers.
  float* take() { return sums.get() + taken++ * table->cols(); }
  // Once no row has a slot.
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

  // Room for the gradients of embeddings, (positions, E), that rows refer to until the step is
  // over.
  float* next_embeddings(int64_t positions);
  void restart();

  TensorTable table;  // its own
  FloatArray dense;   // (num_dense,)
  std::vector<SparseGradient> sparse_tables;
  double loss = 0;

 private:
  FloatArray embeddings_;
  int64_t used_ = 0;  // floats of it
};

}  // namespace slm
