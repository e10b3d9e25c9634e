#pragma once
// Work that is launched again and again with the same arguments, recorded once and from then on
// launched as one: a training window of hundreds of kernels costs the host one call.
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "launch.cuh"

namespace slm {

class Graph {
 public:
  // What `operations` launch on the stream from this thread, which is not run yet. They must not
  // wait, allocate, or copy from or to the host. What they throw is thrown.
  static Graph record(const Stream& stream, const std::function<void()>& operations);

  void launch(cudaStream_t stream) const;

 private:
  struct Free {
    void operator()(cudaGraphExec_t exec) const { cudaGraphExecDestroy(exec); }
  };
  explicit Graph(cudaGraphExec_t exec) : exec_(exec) {}

  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Free> exec_;
};

// Of one workspace: what has been recorded of its operations.
class Recordings {
 public:
  // All that a recording depends on besides the workspace: which operations, for how many time
  // steps; whether they drop values, and of layers; and the memory that they read or write.
  struct Key {
    int64_t operations, steps;
    bool drops, drops_of_layers;
    const float *weights, *gradients;

    bool operator==(const Key& other) const {
      return operations == other.operations && steps == other.steps && drops == other.drops &&
             drops_of_layers == other.drops_of_layers && weights == other.weights &&
             gradients == other.gradients;
    }
  };
  struct Recording {
    Key key;
    int64_t computed;              // the workspace's, after the operations
    std::unique_ptr<Graph> graph;  // null until they come a second time
  };

  Recording* find(const Key& key) {
    for (Recording& each : recordings_)
      if (each.key == key) return &each;
    return nullptr;
  }
  void add(const Key& key, int64_t computed) {
    if (recordings_.size() == kMost) recordings_.erase(recordings_.begin());
    recordings_.push_back({key, computed, nullptr});
  }

 private:
  static constexpr size_t kMost = 16;  // windows of many lengths must not fill the memory
  std::vector<Recording> recordings_;
};

}  // namespace slm
