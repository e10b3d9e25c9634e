// The two loops that measure the roofline of an instruction set. Included per instruction set.
#pragma once

namespace slm {
namespace {

// As many independent sums as a matrix tile has, all in registers.
double fma_loop(int64_t rounds, float* out) {
  constexpr int kSums = Vec::kTileVecs * Vec::kMaxRows;
  Vec sums[kSums];
  // Different values, or the compiler would see that one sum can stand for all.
  for (int i = 0; i < kSums; ++i) sums[i] = Vec::all(static_cast<float>(i));
  const Vec half = Vec::all(0.5f), one = Vec::all(1.0f);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 32
    for (int i = 0; i < kSums; ++i) sums[i] = fmadd(sums[i], half, one);
  }
  Vec total = Vec::zero();
  for (const Vec& sum : sums) total = total + sum;
  total.store_partial(out, 1);
  return 2.0 * static_cast<double>(rounds) * kSums * Vec::kLanes;
}

float read_loop(const float* x, int64_t n) {
  constexpr int kSums = 8;
  Vec sums[kSums];
  for (Vec& sum : sums) sum = Vec::zero();
  int64_t i = 0;
  for (; i + kSums * Vec::kLanes <= n; i += kSums * Vec::kLanes) {
#pragma GCC unroll 8
    for (int j = 0; j < kSums; ++j) sums[j] = sums[j] + Vec::load(x + i + j * Vec::kLanes);
  }
  for (; i < n; i += Vec::kLanes) sums[0] = sums[0] + load_lanes(x + i, n - i);
  Vec total = Vec::zero();
  for (const Vec& sum : sums) total = total + sum;
  float lanes[Vec::kLanes];
  total.store(lanes);
  float result = 0;
  for (float lane : lanes) result += lane;
  return result;
}

}  // namespace
}  // namespace slm
