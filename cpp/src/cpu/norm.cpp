#include "cpu/norm.h"

namespace slm {

void norm_forward(const Kernels& kernels, const float* weight, const Array& x, const Block& at,
                  const Array& v) {
  if (weight == nullptr) return;
  for_each_row(at, [&](int64_t t, int64_t b) {
    kernels.rms_forward(x.row(t, b), weight, v.row(t, b), x.width);
  });
}

void norm_backward(const Kernels& kernels, const float* weight, const Array& x, const Block& at,
                   const Array& dv, const Array& dx) {
  if (weight == nullptr) return;
  for_each_row(at, [&](int64_t t, int64_t b) {
    kernels.rms_backward(x.row(t, b), weight, dv.row(t, b), dx.row(t, b), x.width);
  });
}

void apply_mask(const float* mask, const Block& at, const Array& x) {
  if (mask == nullptr) return;
  for_each_row(at, [&](int64_t t, int64_t b) {
    float* row = x.row(t, b);
    for (int64_t e = 0; e < x.width; ++e) row[e] *= mask[b * x.width + e];
  });
}

}  // namespace slm
