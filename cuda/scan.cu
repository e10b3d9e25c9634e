// A parallel scan by cyclic reduction: each odd element adds A times the even one before it, all at
// once; the odd elements are then a recurrence of their own with A^2 and half the length; and each
// even element adds A times the odd one before it, all at once. So two dependent launches and one
// for A^2 stand for half of the steps, and applied recursively about 3 log2 T for T. It works in
// place, and the products are at most twice those of the plain scan (but for the powers), since all
// halves together are as long as T. Where texts start, a product adds a copy of the elements
// before, with zeros for those of other texts.
#include "scan.cuh"

namespace slm {
namespace {

constexpr int kThreads = 256;

// Copies the elements before the `count` elements i = k, k + by, ..., which lie `stride` floats
// from each other, and 0 for those between which and element i a text starts.
__global__ void copy_previous(const float* from, int64_t stride, int64_t k, int64_t by,
                              int64_t count, int64_t B, int64_t N, Starts starts, int64_t size,
                              int64_t steps, bool falling, float* to) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= count * B * N) return;
  const int64_t m = at / (B * N), n = at % (B * N);
  int64_t begin = (k + m * by) * size, end = begin + size;
  if (falling) {  // element 0 is the last time step, which no start after it can cut off
    const int64_t last = steps - begin + 1;
    begin = steps - end + 1;
    end = last < steps ? last : steps;
  }
  const bool cut = begin < end && starts.any(begin, end, n / N);
  to[at] = cut ? 0.0f : from[m * stride + n];
}

// x_i += A x_{i-1} for the `count` elements i = k, k + 2, k + 4, ...
void add_previous(const Gemm& gemm, int64_t B, int64_t N, const Matrix& A, const Sequence& x,
                  int64_t k, int64_t count, const Cuts* cuts) {
  float* to = x.first + k * x.stride;
  int64_t next = 2 * x.stride, by = 2;
  const bool falling = next < 0;
  if (falling) {  // from the lowest address up
    to += (count - 1) * next;
    k += (count - 1) * by;
    next = -next;
    by = -by;
  }
  const float* from = to - x.stride;
  int64_t next_from = next;
  if (cuts != nullptr) {
    launch(cuts->stream, num_blocks(count * B * N, kThreads), kThreads, copy_previous, from, next,
           k, by, count, B, N, cuts->starts, cuts->size, cuts->steps, falling, cuts->copies);
    from = cuts->copies;
    next_from = B * N;
  }
  if (B == 1)  // rows at a distance are one matrix
    gemm(count, N, N, {from, next_from}, A, 1, to, next);
  else
    gemm.batched(count, B, N, N, {from, N}, next_from, A, 0, 1, to, N, next);
}

}  // namespace

// Counted in multiply-adds. A launch that waits for the one before it takes some microseconds,
// however little it does: as long as about kLaunch multiply-adds at an H100's rate in float32.
//
// A halving saves a launch for every pair of elements, and costs three launches, the next power of
// A and half of the products once more.
int64_t scan_levels(int64_t count, int64_t N, int64_t B) {
  constexpr int64_t kLaunch = 50'000'000;
  int64_t levels = 0;
  while (count / 2 * (kLaunch - B * N * N) > 3 * kLaunch + N * N * N) {
    count /= 2;
    ++levels;
  }
  return levels;
}

void scan(const Gemm& gemm, int64_t B, int64_t N, const Matrix& A, const Sequence& x,
          int64_t levels, float* powers, const Cuts* cuts) {
  if (levels == 0) {
    for (int64_t k = 0; k < x.count; ++k) add_previous(gemm, B, N, A, x, k, 1, cuts);
    return;
  }
  add_previous(gemm, B, N, A, x, 1, x.count / 2, cuts);
  const Matrix stored{A.data, A.stride}, square{powers, N, A.op};
  gemm(N, N, N, stored, stored, 0, powers, N);
  Cuts half;
  if (cuts != nullptr) {
    half = *cuts;
    half.size *= 2;
  }
  scan(gemm, B, N, square, {x.first + x.stride, 2 * x.stride, x.count / 2}, levels - 1,
       powers + N * N, cuts != nullptr ? &half : nullptr);
  add_previous(gemm, B, N, A, x, 0, (x.count + 1) / 2, cuts);
}

}  // namespace slm
