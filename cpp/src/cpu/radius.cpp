// Keeps the spectral radius of dense cells' A at a bound (util/radius.h).
#include "util/radius.h"

#include <cmath>
#include <utility>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// What to multiply A by so that the bound is at most `max_radius`; 1 also where it is not a number.
float radius_scale(const double* norms, float max_radius) {
  double bound = norms[kSquarings];
  for (int k = kSquarings - 1; k >= 0; --k) bound = norms[k] * std::sqrt(bound);
  return bound > double{max_radius} ? static_cast<float>(double{max_radius} / bound) : 1.0f;
}

}  // namespace

void CpuBackend::bound_radius(CpuWeights& weights, CpuGradients& gradients,
                              float max_radius) const {
  for (const Tensor& tensor : gradients.table.tensors()) {
    if (!tensor.recurs) continue;
    float* a = data(weights.flat()) + tensor.offset;
    double norms[kSquarings + 1];
    norms_of_powers(a, tensor.rows(), gradients.powers.get(), norms);
    const float scale = radius_scale(norms, max_radius);
    if (scale < 1)
      for (int64_t i = 0; i < tensor.info.size; ++i) a[i] *= scale;
  }
}

// `powers` has room for three matrices of n rows: X, its transpose, and its square, which is the
// sum of the outer products of the rows of the first two.
void CpuBackend::norms_of_powers(const float* a, int64_t n, float* powers, double* norms) const {
  const int64_t size = n * n;
  float *x = powers, *transposed = x + size, *square = transposed + size;
  std::copy_n(a, size, x);
  for (int k = 0;; ++k, std::swap(x, square)) {
    norms[k] = std::sqrt(sum_squares(x, size));
    if (k == kSquarings) return;
    const double norm = norms[k] > 0 ? norms[k] : 1;  // a power may be zero, as all after it
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        transposed[j * n + i] = x[i * n + j] = static_cast<float>(double{x[i * n + j]} / norm);
    std::fill_n(square, size, 0.0f);
    const double flops = 2.0 * static_cast<double>(size * n);
    split(n, flops, [&](int64_t begin, int64_t end) {
      kernels_.outer_sum(transposed + begin, n, x, n, n, square + begin * n, n, end - begin, n);
    });
  }
}

}  // namespace slm
