// The emulator itself: what threads see, waiting and exchanging, and launches that must fail.
#include <vector>

#include "check.h"
#include "launch.cuh"

namespace {

using Ints = std::vector<int>;

__global__ void count_visits(int* visits) {
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  ++visits[block * blockDim.x + threadIdx.x];
}

__global__ void reverse(const int* in, int* out) {
  __shared__ int values[1024];
  values[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

// Lane i ends with the sum of lanes 0 to i of its warp. Warps shuffle as often as their number
// says, so that none may wait for another.
__global__ void prefix_sums(int* values) {
  int sum = values[threadIdx.x];
  for (unsigned repeat = 0; repeat <= threadIdx.x / 32; ++repeat) {
    sum = values[threadIdx.x];
    for (unsigned distance = 1; distance < 32; distance *= 2) {
      const int below = __shfl_up_sync(0xFFFFFFFF, sum, distance);
      if (threadIdx.x % 32 >= distance) sum += below;
    }
  }
  values[threadIdx.x] = sum;
}

// Every lane of a warp ends with the sum of all.
__global__ void sums(int* values) {
  int sum = values[threadIdx.x];
  for (unsigned distance = 16; distance > 0; distance /= 2)
    sum += __shfl_xor_sync(0xFFFFFFFF, sum, distance);
  values[threadIdx.x] = sum;
}

__global__ void half_of_the_block_waits(int* out) {
  if (threadIdx.x % 2 == 0) __syncthreads();
  out[threadIdx.x] = 1;
}

void test_indices() {
  Ints visits(3 * 2 * 2 * 33);
  slm::launch(nullptr, dim3(3, 2, 2), 33, count_visits, visits.data());
  CHECK(visits == Ints(visits.size(), 1));
}

void test_shared_memory(int blocks, int threads) {
  Ints in(static_cast<size_t>(blocks * threads)), out(in.size()), expected(in.size());
  for (int i = 0; i < blocks * threads; ++i) {
    in[static_cast<size_t>(i)] = i;
    const int block = i / threads, thread = i % threads;
    expected[static_cast<size_t>(i)] = block * threads + threads - 1 - thread;
  }
  slm::launch(nullptr, dim3(static_cast<unsigned>(blocks)), static_cast<unsigned>(threads), reverse,
              in.data(), out.data());
  CHECK(out == expected);
}

void test_shuffles() {
  Ints values(128, 1), expected(128);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<int>(i % 32 + 1);
  slm::launch(nullptr, 1, 128, prefix_sums, values.data());
  CHECK(values == expected);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i);
  for (size_t i = 0; i < expected.size(); ++i)
    expected[i] = 31 * 16 + static_cast<int>(i / 32) * 32 * 32;
  slm::launch(nullptr, 1, 128, sums, values.data());
  CHECK(values == expected);
}

void test_failing_launches() {
  Ints out(2048);
  const auto device = slm::ErrorKind::device;
  CHECK_THROWS(device, "never come",
               slm::launch(nullptr, 1, 64, half_of_the_block_waits, out.data()));
  CHECK_THROWS(device, "invalid conf", slm::launch(nullptr, 1, 1025, count_visits, out.data()));
  CHECK_THROWS(device, "invalid conf", slm::launch(nullptr, 0, 32, count_visits, out.data()));
  slm::launch(nullptr, 1, 64, count_visits, out.data());  // the next one is not hurt
  CHECK_EQ(out[0], 1);
}

}  // namespace

int main() {
  test_indices();
  for (const int threads : {1, 31, 32, 33, 1024}) test_shared_memory(3, threads);
  test_shuffles();
  test_failing_launches();
  return test_result();
}
