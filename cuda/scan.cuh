#pragma once
// How a linear recurrence h_t = A h_{t-1} + x_t is computed in fewer than T dependent products.
#include <cstdint>

namespace slm {

// How often a scan over `count` time steps is halved before the rest is done step by step: where
// two launches less for every pair of steps are worth the products that a halving adds.
int64_t scan_levels(int64_t count, int64_t N, int64_t B);

}  // namespace slm
