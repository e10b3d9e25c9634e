// Keeps the spectral radius of dense cells' A at a bound (numerics/spectral_radius.h).
#include "numerics/spectral_radius.h"

#include <cmath>
#include <utility>

#include "cpu/cpu_backend.h"

namespace slm {
namespace {

// Scale factor that brings A within the bound; 1 for NaN.
float radius_scale(const double* norms, float max_spectral_radius) {
  double bound = norms[kSquarings];
  for (int k = kSquarings - 1; k >= 0; --k) bound = norms[k] * std::sqrt(bound);
  return bound > double{max_spectral_radius}
             ? static_cast<float>(double{max_spectral_radius} / bound)
             : 1.0f;
}

}  // namespace

void CpuBackend::bound_spectral_radius(CpuWeights& weights, CpuUpdateResult& outcome,
                                       float max_spectral_radius) const {
  for (const Tensor& tensor : weights.table.tensors()) {
    if (!tensor.is_recurrent) continue;
    float* a = data(weights.flat()) + tensor.offset;
    double norms[kSquarings + 1];
    norms_of_powers(a, tensor.rows(), outcome.powers.get(), norms);
    const float scale = radius_scale(norms, max_spectral_radius);
    if (scale < 1)
      for (int64_t i = 0; i < tensor.info.size; ++i) a[i] *= scale;
  }
}

// `powers` has room for three (n, n) matrices: X, its transpose, and its square. Uses the float32
// kernels even if matrix products otherwise round to bf16, because the bound has to hold.
void CpuBackend::norms_of_powers(const float* a, int64_t n, float* powers, double* norms) const {
  const Kernels& kernels = kernels_.rounds_to_bf16 ? active_kernels() : kernels_;
  const int64_t size = n * n;
  const auto values = static_cast<double>(size), terms = static_cast<double>(n);
  float *x = powers, *transposed = x + size, *square = transposed + size;
  std::copy_n(a, size, x);
  for (int k = 0;; ++k, std::swap(x, square)) {
    norms[k] = std::sqrt(sum_squares(x, size));
    if (k == kSquarings) return;
    const double norm = norms[k] > 0 ? norms[k] : 1;  // a power may be zero, as all after it
    parallel_for(n, 4 * values, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = 0; j < n; ++j)
          transposed[j * n + i] = x[i * n + j] = static_cast<float>(double{x[i * n + j]} / norm);
    });
    parallel_for(n, 2 * terms * values, [&](int64_t begin, int64_t end) {
      std::fill_n(square + begin * n, (end - begin) * n, 0.0f);
      kernels.gemm_tn(transposed + begin, n, x, n, n, square + begin * n, n, end - begin, n);
    });
  }
}

}  // namespace slm
