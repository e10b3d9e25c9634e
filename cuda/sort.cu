// Sorts the n-grams and matches of a range by row, and those of a row by position: a stable radix
// sort, from the lowest digit up.
#include "backend.cuh"

namespace slm {
namespace {

constexpr int kDigitBits = 8;

// Positions without a row go last, as row `none`.
__global__ void list_rows(const int32_t* rows, int64_t count, int32_t none, Occurrence* out) {
  const int64_t i = int64_t{blockIdx.x} * kDigits + threadIdx.x;
  if (i < count) out[i] = {rows[i] < 0 ? none : rows[i], static_cast<int32_t>(i)};
}

// Calls f(i), in order, for each occurrence of a block's tile whose digit is this thread's number.
template <class F>
__device__ void for_each_of_digit(const Occurrence* in, int64_t count, int shift, const F& f) {
  __shared__ uint8_t digits[kSortTile];
  const int64_t first = blockIdx.x * kSortTile;
  const int64_t size = count - first < kSortTile ? count - first : kSortTile;
  for (int64_t i = threadIdx.x; i < size; i += kDigits)
    digits[i] = static_cast<uint8_t>(in[first + i].row >> shift);
  __syncthreads();
  for (int64_t i = 0; i < size; ++i)
    if (digits[i] == threadIdx.x) f(first + i);
}

__global__ void count_digits(const Occurrence* in, int64_t count, int shift, int32_t* counts) {
  int32_t found = 0;
  for_each_of_digit(in, count, shift, [&](int64_t) { ++found; });
  counts[blockIdx.x * kDigits + threadIdx.x] = found;
}

// Exclusive prefix sums: replaces each tile's count of a digit by where its first occurrence with
// that digit goes. One block.
__global__ void place_digits(int64_t tiles, int32_t* counts) {
  __shared__ int32_t totals[kDigits];
  int32_t total = 0;
  for (int64_t i = 0; i < tiles; ++i) total += counts[i * kDigits + threadIdx.x];
  totals[threadIdx.x] = total;
  __syncthreads();
  int32_t place = 0;
  for (unsigned digit = 0; digit < threadIdx.x; ++digit) place += totals[digit];
  for (int64_t i = 0; i < tiles; ++i) {
    int32_t& count = counts[i * kDigits + threadIdx.x];
    const int32_t found = count;
    count = place;
    place += found;
  }
}

__global__ void move_digits(const Occurrence* in, int64_t count, int shift, const int32_t* starts,
                            Occurrence* out) {
  int32_t next = starts[blockIdx.x * kDigits + threadIdx.x];
  for_each_of_digit(in, count, shift, [&](int64_t i) { out[next++] = in[i]; });
}

}  // namespace

const Occurrence* CudaBackend::sort_rows(CudaWorkspace& ws, const int32_t* rows,
                                         int64_t count) const {
  Occurrence *from = ws.occurrences.get(), *to = ws.sorted.get();
  const unsigned tiles = num_blocks(count, kSortTile);
  launch(stream_, num_blocks(count, kDigits), kDigits, list_rows, rows, count, ws.ngrams.rows,
         from);
  for (int shift = 0; ws.ngrams.rows >> shift > 0; shift += kDigitBits) {
    launch(stream_, tiles, kDigits, count_digits, from, count, shift, ws.digit_counts.get());
    launch(stream_, 1, kDigits, place_digits, tiles, ws.digit_counts.get());
    launch(stream_, tiles, kDigits, move_digits, from, count, shift, ws.digit_counts.get(), to);
    std::swap(from, to);
  }
  return from;
}

}  // namespace slm
