// The emulator itself: what threads see, waiting and exchanging, graphs, and launches that must
// fail.
#include <algorithm>
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

// ShardPass i ends with the sum of lanes 0 to i of its warp. Warps shuffle as often as their number
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

// Each thread's lane asks the others; a block of 33 threads has a warp of one lane.
__global__ void vote(const int* in, unsigned* ballots, int* any, int* all, int* next, int* first) {
  const unsigned i = threadIdx.x;
  ballots[i] = __ballot_sync(0xFFFFFFFF, in[i]);
  any[i] = __any_sync(0xFFFFFFFF, in[i]);
  all[i] = __all_sync(0xFFFFFFFF, in[i]);
  next[i] = __shfl_down_sync(0xFFFFFFFF, in[i], 1);
  first[i] = __shfl_sync(0xFFFFFFFF, in[i], 0);
}

__global__ void count_atomically(int* count, int* most, int* places) {
  places[atomicAdd(count, 1)] = 1;
  atomicMax(most, static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x));
}

__global__ void reverse_dynamic(const int* in, int* out) {
  int* values = dynamic_shared<int>();
  values[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  out[threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

__global__ void add_one(int* values) { ++values[threadIdx.x]; }

// The order in which threads and blocks come, which nothing may depend on.
__global__ void note_order(int* count, int* order) {
  order[*count] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  ++*count;
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

void test_votes() {
  const int threads = 33;
  Ints in(threads), any(threads), all(threads), next(threads), first(threads);
  std::vector<unsigned> ballots(threads);
  for (int i = 0; i < threads; ++i) in[static_cast<size_t>(i)] = i % 3 == 1 || i == 32;
  slm::launch(nullptr, 1, threads, vote, in.data(), ballots.data(), any.data(), all.data(),
              next.data(), first.data());
  unsigned expected = 0;
  for (unsigned i = 0; i < 32; ++i) expected |= static_cast<unsigned>(i % 3 == 1) << i;
  for (size_t i = 0; i < 33; ++i) {
    CHECK_EQ(ballots[i], i < 32 ? expected : 1u);
    CHECK_EQ(any[i], 1);
    CHECK_EQ(all[i], i < 32 ? 0 : 1);
    CHECK_EQ(first[i], i < 32 ? 0 : 1);
    if (i < 31) CHECK_EQ(next[i], in[i + 1]);
  }
}

void test_atomics() {
  Ints places(5 * 40);
  int count = 0, most = 0;
  slm::launch(nullptr, 5, 40, count_atomically, &count, &most, places.data());
  CHECK_EQ(count, 200);
  CHECK_EQ(most, 199);
  CHECK(places == Ints(200, 1));
}

void test_dynamic_shared_memory() {
  const Ints in = {1, 2, 3, 4, 5};
  Ints out(5);
  cudaLaunchConfig_t config = {};
  config.gridDim = 1;
  config.blockDim = 5;
  config.dynamicSmemBytes = 5 * sizeof(int);
  CHECK_EQ(cudaLaunchKernelEx(&config, reverse_dynamic, in.data(), out.data()), cudaSuccess);
  CHECK(out == Ints{5, 4, 3, 2, 1});
}

// The same with the same seed, another with another; every thread once.
void test_order() {
  const auto order_with = [](uint64_t seed) {
    Ints order(3 * 70);
    int count = 0;
    emulate::set_seed(seed);
    slm::launch(nullptr, 3, 70, note_order, &count, order.data());
    emulate::set_seed(emulate::seed_of_environment());
    return order;
  };
  Ints order = order_with(1);
  CHECK(order == order_with(1));
  CHECK(order != order_with(2));
  CHECK(!std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) CHECK_EQ(order[i], i);
}

// A launch or copy does nothing while it is captured, and as often as the graph runs.
void test_graphs() {
  const slm::Stream stream;
  Ints values(8), copies(8);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  CHECK_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  {
    int* const data = values.data();  // its value is what counts
    slm::launch(stream, 1, 8, add_one, data);
  }
  cudaMemcpyAsync(copies.data(), values.data(), 8 * sizeof(int), cudaMemcpyDeviceToDevice, stream);
  CHECK_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  CHECK_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  cudaGraphDestroy(graph);
  CHECK(values == Ints(8));
  for (int i = 1; i <= 2; ++i) {
    CHECK_EQ(cudaGraphLaunch(exec, stream), cudaSuccess);
    CHECK(values == Ints(8, i) && copies == values);
  }
  cudaGraphExecDestroy(exec);
}

// Waiting, allocating and copying to the host end a capture.
void test_failing_captures() {
  const slm::Stream stream;
  Ints values(8);
  const auto try_within_capture = [&](const std::function<cudaError_t()>& call) {
    cudaGraph_t graph = nullptr;
    CHECK_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    CHECK_EQ(call(), cudaErrorStreamCaptureUnsupported);
    CHECK_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    CHECK(graph == nullptr);
  };
  void* more = nullptr;
  try_within_capture([&] { return cudaStreamSynchronize(stream); });
  try_within_capture([&] { return cudaMallocAsync(&more, 8, stream); });
  try_within_capture([&] {
    return cudaMemcpyAsync(values.data(), values.data() + 4, 16, cudaMemcpyDeviceToHost, stream);
  });
  CHECK_EQ(cudaStreamSynchronize(stream), cudaSuccess);
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
  test_votes();
  test_atomics();
  test_dynamic_shared_memory();
  test_order();
  test_graphs();
  test_failing_captures();
  test_failing_launches();
  return test_result();
}
