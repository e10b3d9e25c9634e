// Recorded operations: nothing runs while they are recorded, all of it each time after that; what
// cannot be recorded is an error that leaves the stream usable, and other threads are not recorded.
#include <thread>

#include "compare_backends.h"

namespace {

__global__ void add_one(int* value) { ++*value; }

struct Counter {
  void add() { slm::launch(stream, 1, 1, add_one, count.get()); }
  int read() {
    int value = -1;
    cudaMemcpyAsync(&value, count.get(), sizeof value, cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    return value;
  }

  const slm::Stream& stream;
  slm::DeviceArray<int> count{stream, 1};
};

void test_record() {
  const slm::Stream stream;
  Counter counter{stream};
  const slm::Graph graph = slm::Graph::record(stream, [&] {
    for (int i = 0; i < 3; ++i) counter.add();
  });
  CHECK_EQ(counter.read(), 0);
  for (int runs = 1; runs <= 2; ++runs) {
    graph.launch(stream);
    CHECK_EQ(counter.read(), 3 * runs);
  }
  counter.add();
  CHECK_EQ(counter.read(), 7);
}

void test_other_threads() {
  const slm::Stream stream;
  Counter recorded{stream}, run{stream};
  slm::Graph::record(stream, [&] {
    recorded.add();
    std::thread([&] { run.add(); }).join();
  });
  CHECK_EQ(recorded.read(), 0);
  CHECK_EQ(run.read(), 1);
}

void test_failures() {
  const slm::Stream stream;
  Counter counter{stream};
  CHECK_THROWS(slm::ErrorKind::cancelled, "stopped", slm::Graph::record(stream, [&] {
                 counter.add();
                 throw slm::Error(slm::ErrorKind::cancelled, "stopped");
               }));
  CHECK_THROWS(slm::ErrorKind::device, "finish its work", slm::Graph::record(stream, [&] {
                 slm::cuda_check(cudaStreamSynchronize(stream), "finish its work");
               }));
  // Where nobody looked at the error of a call, the recording has none to give.
  CHECK_THROWS(slm::ErrorKind::device, "cannot record",
               slm::Graph::record(stream, [&] { cudaStreamSynchronize(stream); }));
  counter.add();
  CHECK_EQ(counter.read(), 1);
}

}  // namespace

int main() {
  test_record();
  test_other_threads();
  test_failures();
  return test_result();
}
