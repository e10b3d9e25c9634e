// The gradient norm, AdamW over the flat buffers of dense values, and row-wise RMSprop of the
// sparse tables.
#include <cmath>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

constexpr int64_t kAhead = 4;  // how many rows ahead is prefetched

// beta^k by squaring: the same bits whatever the C library.
double power(double beta, int64_t k) {
  double result = 1;
  for (; k > 0; k /= 2, beta *= beta)
    if (k % 2 == 1) result *= beta;
  return result;
}

}  // namespace

double CpuBackend::sum_squares(const float* values, int64_t size) const {
  return sum_ranges(size, [&](int64_t range, int64_t ranges) {
    const int64_t share = (size + ranges - 1) / ranges, at = std::min(size, range * share);
    return kernels_.sum_squares(values + at, std::min(share, size - at));
  });
}

double CpuBackend::grad_norm(const CpuGradients& gradients) const {
  return std::sqrt(sum_squares(gradients.dense.get(), gradients.table.num_dense()) +
                   sum_row_squares(gradients));
}

double CpuBackend::sum_row_squares(const CpuGradients& gradients) const {
  int64_t values = 0;
  for (const SparseGradient& sparse : gradients.sparse_tables)
    values += sparse.count * sparse.table->cols();
  return sum_ranges(values, [&](int64_t range, int64_t ranges) {
    double sum = 0;
    for (const SparseGradient& sparse : gradients.sparse_tables) {
      const int64_t width = sparse.table->cols(), end = sparse.count * (range + 1) / ranges;
      for (int64_t slot = sparse.count * range / ranges; slot < end; ++slot)
        sum += kernels_.sum_squares(sparse.slots[slot].values, width);
    }
    return sum;
  });
}

std::unique_ptr<UpdateResult> CpuBackend::make_update_result(const TensorTable& table,
                                                             bool max_spectral_radius) const {
  return std::make_unique<CpuUpdateResult>(table, max_spectral_radius);
}

StepResult CpuBackend::read_update_result(const UpdateResult& outcome) const {
  return static_cast<const CpuUpdateResult&>(outcome).result;
}

void CpuBackend::update(Weights& any_weights, Gradients& any_gradients, Buffer& m, Buffer& v,
                        const TensorTable& table, const AdamWStep& step,
                        UpdateResult& any_outcome) const {
  auto& weights = static_cast<CpuWeights&>(any_weights);
  auto& gradients = static_cast<CpuGradients&>(any_gradients);
  auto& outcome = static_cast<CpuUpdateResult&>(any_outcome);
  outcome.result = {gradients.loss, grad_norm(gradients)};
  if (!outcome.result.finite()) return clear(gradients);
  const float grad_scale = outcome.result.grad_scale(step.clip_norm);
  update_dense(weights, gradients, m, v, table, step, grad_scale);
  for (SparseGradient& sparse : gradients.sparse_tables)
    update_rows(weights, sparse, m, v, step, grad_scale);
  gradients.restart();
  if (step.max_spectral_radius > 0)
    bound_spectral_radius(weights, outcome, step.max_spectral_radius);
}

// Threads share the values, not the tensors: one pass over the flat buffers.
void CpuBackend::update_dense(CpuWeights& weights, CpuGradients& gradients, Buffer& m, Buffer& v,
                              const TensorTable& table, const AdamWStep& step,
                              float grad_scale) const {
  float *w = data(weights.flat()), *g = gradients.dense.get();
  const int64_t size = table.num_dense();
  parallel_for(size, 20.0 * static_cast<double>(size), [&](int64_t begin, int64_t end) {
    AdamWArgs args;
    args.rate = step.learning_rate / step.correction1;
    args.beta1 = step.beta1;
    args.beta2 = step.beta2;
    args.epsilon = step.epsilon;
    args.inv_correction2 = 1.0f / step.correction2;
    args.grad_scale = grad_scale;
    for (const Tensor& tensor : table.tensors()) {
      const int64_t from = std::max(begin, tensor.offset);
      const int64_t to = std::min(end, tensor.offset + tensor.info.size);
      if (from >= to) continue;
      args.decay = 1.0f - step.learning_rate * step.weight_decay * tensor.decay_scale;
      kernels_.adamw(args, w + from, g + from, data(m) + from, data(v) + from, to - from);
    }
  });
}

// Row-wise RMSprop. Each slot is used once, which frees its row for the next step.
void CpuBackend::update_rows(CpuWeights& weights, SparseGradient& sparse, Buffer& m, Buffer& v,
                             const AdamWStep& step, float grad_scale) const {
  const int64_t width = sparse.table->cols();
  float* w = data(weights.flat()) + sparse.table->offset;
  float* updates = data(m) + sparse.table->moment_offset;
  float* moments = data(v) + sparse.table->moment_offset;
  const RowwiseArgs args{step.learning_rate * step.table_lr_scale, step.beta2, step.epsilon,
                         grad_scale};
  parallel_for(
      sparse.count, 10.0 * static_cast<double>(sparse.count * width),
      [&](int64_t begin, int64_t end) {
        for (int64_t slot = begin; slot < end; ++slot) {
          if (slot + kAhead < end) {
            const int64_t next = sparse.rows[slot + kAhead];
            prefetch(w + next * width, width);
            prefetch(sparse.slots[slot + kAhead].values, width);
            prefetch(updates + next);
            prefetch(moments + next);
            prefetch(&sparse.slot_of_row[next]);
          }
          const int64_t row = sparse.rows[slot];
          const float* g = sparse.slots[slot].values;
          updates[row] += 1;
          const double left = power(double{step.beta2}, static_cast<int64_t>(updates[row]));
          moments[row] = kernels_.rowwise_rmsprop(args, static_cast<float>(1.0 / (1.0 - left)),
                                                  moments[row], g, w + row * width, width);
          sparse.slot_of_row[row] = -1;
        }
      });
}

// A task adds one sparse table, or one of a few ranges of the dense values.
void CpuBackend::add_gradients(const std::vector<std::unique_ptr<Gradients>>& from,
                               Gradients& any_to) const {
  constexpr int64_t kRanges = 4;
  if (from.empty()) return;
  auto& to = static_cast<CpuGradients&>(any_to);
  const auto tables = static_cast<int64_t>(to.sparse_tables.size());
  const int64_t dense = to.table.num_dense();
  pool_.run(tables + kRanges, [&](int64_t task) {
    for (const auto& each : from) {
      auto& gradients = static_cast<CpuGradients&>(*each);
      if (task < tables) {
        merge_rows(gradients.sparse_tables[task], to.sparse_tables[task]);
        continue;
      }
      const int64_t begin = dense * (task - tables) / kRanges;
      const int64_t end = dense * (task - tables + 1) / kRanges;
      kernels_.add(gradients.dense.get() + begin, to.dense.get() + begin, end - begin);
      std::fill_n(gradients.dense.get() + begin, end - begin, 0.0f);
    }
  });
  for (const auto& each : from) {
    auto& gradients = static_cast<CpuGradients&>(*each);
    to.loss += gradients.loss;
    gradients.restart();
  }
}

void CpuBackend::clear(Gradients& any_gradients) const {
  auto& gradients = static_cast<CpuGradients&>(any_gradients);
  std::fill_n(gradients.dense.get(), gradients.table.num_dense(), 0.0f);
  for (SparseGradient& sparse : gradients.sparse_tables)
    for (int64_t slot = 0; slot < sparse.count; ++slot) sparse.slot_of_row[sparse.rows[slot]] = -1;
  gradients.restart();
}

void CpuBackend::read_gradients(const Gradients& any_gradients, float* to) const {
  const auto& gradients = static_cast<const CpuGradients&>(any_gradients);
  const int64_t dense = gradients.table.num_dense(), all = gradients.table.num_parameters();
  std::copy_n(gradients.dense.get(), dense, to);
  std::fill_n(to + dense, all - dense, 0.0f);
  for (const SparseGradient& sparse : gradients.sparse_tables) {
    const int64_t width = sparse.table->cols();
    for (int64_t slot = 0; slot < sparse.count; ++slot)
      std::copy_n(sparse.slots[slot].values, width,
                  to + sparse.table->offset + sparse.rows[slot] * width);
  }
}

}  // namespace slm
