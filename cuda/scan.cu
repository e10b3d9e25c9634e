#include "scan.cuh"

namespace slm {

// Counted in multiplications and additions. A launch that waits for the one before it takes a few
// microseconds, however little it does: about as long as an H100 needs for kLaunch of them.
//
// Halving saves a launch per pair of steps, but costs three: the two halves of the work around the
// rest and a product for the next power of A, N^3. And it computes half of the steps twice.
int64_t scan_levels(int64_t count, int64_t N, int64_t B) {
  constexpr int64_t kLaunch = 50'000'000;
  int64_t levels = 0;
  while (count / 2 * (kLaunch - B * N * N) > 3 * kLaunch + N * N * N) {
    count /= 2;
    ++levels;
  }
  return levels;
}

}  // namespace slm
