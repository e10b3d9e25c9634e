#pragma once
// The one tensor table. Allocation, initial values, optimiser, model files and tests all walk it,
// so a new parameter is one line in tensors.cpp and nothing else has to know its name.
#include <vector>

#include "slm/model.h"

namespace slm {

struct Tensor {
  TensorInfo info;
  int64_t offset = 0;     // of its first value in the flat buffers
  float init_bound = 0;   // initial values are uniform in ±init_bound
  float decay_scale = 1;  // times the training config's weight_decay

  int64_t rows() const { return info.shape[0]; }
  int64_t cols() const { return info.shape[1]; }
};

class TensorTable {
 public:
  explicit TensorTable(const Config& config);  // config must be valid

  const std::vector<Tensor>& tensors() const { return tensors_; }
  int64_t num_parameters() const { return num_parameters_; }
  const Tensor* find(const std::string& name) const;           // nullptr where there is none
  const Tensor& at(const std::string& name) const;             // Error(config) where there is none
  const Tensor& layer(int64_t layer, const char* name) const;  // "layers.{layer}.{name}"

 private:
  void add(const std::string& name, int64_t rows, int64_t cols, float init_bound);

  std::vector<Tensor> tensors_;
  int64_t num_parameters_ = 0;
};

// Fills one tensor, `index` in the table, with its initial values: value i is drawn from Philox
// counter i alone.
void init_tensor(const Tensor& tensor, uint64_t seed, uint32_t index, float* out);

}  // namespace slm
