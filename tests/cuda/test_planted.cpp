// Faults planted into kernels are found: races by other orders of threads and blocks, what is
// outside of memory by sanitizers, a barrier that not all threads come to by the launch.
//
// Accesses outside of memory end the program, so each is done in a process of its own: this program
// with the fault's name. They need the sanitized build of the tests.
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "check.h"
#include "launch.cuh"
#include "sanitizer_macros.h"

namespace {

using Ints = std::vector<int>;

// The sum of a block's values, whose barriers can be left out.
template <bool kFirst, bool kOthers>
__global__ void sum(const int* in, int* out) {
  __shared__ int partial[64];
  partial[threadIdx.x] = in[threadIdx.x];
  if (kFirst) __syncthreads();
  for (unsigned half = 32; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    if (kOthers) __syncthreads();
  }
  if (threadIdx.x == 0) *out = partial[0];
}

// Values go round; without a barrier a thread may overwrite what another has yet to read.
template <bool kBarrier>
__global__ void rotate(int* values) {
  const int next = values[(threadIdx.x + 1) % blockDim.x];
  if (kBarrier) __syncthreads();
  values[threadIdx.x] = next;
}

// Blocks that own one place each, or share one.
template <bool kShared>
__global__ void write_last(int* out) {
  out[kShared ? 0 : blockIdx.x] = static_cast<int>(blockIdx.x);
}

__global__ void half_of_the_block_waits(int* out) {
  if (threadIdx.x % 2 == 0) __syncthreads();
  out[threadIdx.x] = 1;
}

// The results with eight seeds.
template <class F>
std::set<Ints> results(const F& run) {
  std::set<Ints> all;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    emulate::set_seed(seed);
    all.insert(run());
  }
  return all;
}

template <class Kernel>
std::set<Ints> sums(const Kernel& kernel) {
  Ints in(64);
  for (int i = 0; i < 64; ++i) in[static_cast<size_t>(i)] = i * i;
  return results([&] {
    Ints out(1);
    slm::launch(nullptr, 1, 64, kernel, in.data(), out.data());
    return out;
  });
}

template <class Kernel>
std::set<Ints> rotations(const Kernel& kernel) {
  return results([&] {
    Ints values(40);
    for (int i = 0; i < 40; ++i) values[static_cast<size_t>(i)] = i;
    slm::launch(nullptr, 1, 40, kernel, values.data());
    return values;
  });
}

template <class Kernel>
std::set<Ints> writes(const Kernel& kernel) {
  return results([&] {
    Ints out(5);
    slm::launch(nullptr, 5, 1, kernel, out.data());
    return out;
  });
}

void test_races() {
  CHECK(sums(sum<true, true>) == std::set<Ints>{{63 * 64 * 127 / 6}});
  CHECK(sums(sum<false, true>).size() > 1);
  CHECK(sums(sum<true, false>).size() > 1);
  CHECK(rotations(rotate<true>).size() == 1);
  CHECK(rotations(rotate<false>).size() > 1);
  CHECK(writes(write_last<false>) == std::set<Ints>{{0, 1, 2, 3, 4}});
  CHECK(writes(write_last<true>).size() > 1);
}

void test_barrier_of_some() {
  Ints out(64);
  CHECK_THROWS(slm::ErrorKind::device, "never come",
               slm::launch(nullptr, 1, 64, half_of_the_block_waits, out.data()));
}

// --- outside of memory

constexpr int kSize = 24;

__global__ void access_shared(int extra, int* out) {
  __shared__ int values[kSize];
  for (int i = static_cast<int>(threadIdx.x); i < kSize + extra; i += 8) values[i] = i;
  __syncthreads();
  if (threadIdx.x == 0) *out = values[kSize - 1];
}

__global__ void access_dynamic(int extra, int* out) {
  int* values = dynamic_shared<int>();
  if (threadIdx.x == 0) *out = values[kSize - 1 + extra];
}

__global__ void read_global(const int* values, int extra, int* out) {
  if (threadIdx.x == 0) *out = values[kSize - 1 + extra];
}

__global__ void write_global(int extra, int* values) {
  if (threadIdx.x == 0) values[kSize - 1 + extra] = 1;
}

// One element too far; without `fault`, the last that is there.
void access(const std::string& what, bool fault) {
  const slm::Stream stream;
  int *values = nullptr, *out = nullptr;
  slm::cuda_check(cudaMallocAsync(&values, kSize * sizeof(int), stream), "allocate");
  slm::cuda_check(cudaMallocAsync(&out, sizeof(int), stream), "allocate");
  const int extra = fault ? 1 : 0;
  if (what == "shared") {
    slm::launch(stream, 1, 8, access_shared, extra, out);
  } else if (what == "dynamic") {
    cudaLaunchConfig_t config = {};
    config.blockDim = 8;
    config.dynamicSmemBytes = kSize * sizeof(int);
    slm::cuda_check(cudaLaunchKernelEx(&config, access_dynamic, extra, out), "run");
  } else if (what == "read") {
    slm::launch(stream, 1, 8, read_global, values, extra, out);
  } else if (what == "write") {
    slm::launch(stream, 1, 8, write_global, extra, values);
  }
  cudaFreeAsync(values, stream);
  if (what == "freed" && fault) slm::launch(stream, 1, 8, write_global, 0, values);
  cudaFreeAsync(out, stream);
}

#if SLM_ASAN

struct Outcome {
  std::string output;
  bool failed;
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {"popen failed", false};
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
    outcome.output += static_cast<char>(c);
  outcome.failed = pclose(pipe) != 0;
  return outcome;
}

void test_outside_of_memory(const std::string& program) {
  for (const std::string fault : {"shared", "dynamic", "read", "write", "freed"}) {
    access(fault, false);
    const Outcome outcome = run("'" + program + "' " + fault);
    const auto says = [&](const char* part) {
      return outcome.output.find(part) != std::string::npos;
    };
    CHECK(outcome.failed);
    if (fault == "shared")  // static for the emulator, so that its type tells
      CHECK(says("runtime error") || says("AddressSanitizer: global-buffer-overflow"));
    else if (fault == "freed")
      CHECK(says("AddressSanitizer: heap-use-after-free"));
    else
      CHECK(says("AddressSanitizer: heap-buffer-overflow"));
  }
}

#else

void test_outside_of_memory(const std::string&) {}

#endif

}  // namespace

int main(int, char** argv) {
  if (argv[1] != nullptr) {
    access(argv[1], true);
    return 0;
  }
  test_races();
  test_barrier_of_some();
  test_outside_of_memory(argv[0]);
  return test_result();
}
