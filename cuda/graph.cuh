#pragma once
// CUDA graphs: operations that repeat with the same arguments are captured once and from then on
// launched as one, so that a training window of hundreds of kernels costs the host one call.
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "launch.cuh"

namespace slm {

class Graph {
 public:
  // Captures what `operations` launch on the stream from this thread, without running it. They must
  // not wait, allocate, or copy from or to the host. Passes their exceptions on.
  static Graph record(const Stream& stream, const std::function<void()>& operations);

  void launch(cudaStream_t stream) const;

 private:
  struct Free {
    void operator()(cudaGraphExec_t exec) const { cudaGraphExecDestroy(exec); }
  };
  explicit Graph(cudaGraphExec_t exec) : exec_(exec) {}

  std::unique_ptr<std::remove_pointer_t<cudaGraphExec_t>, Free> exec_;
};

// The graphs of one workspace.
class Recordings {
 public:
  // Everything that a graph depends on besides the workspace: the kind of operations, the number of
  // time steps, whether there is dropout, locked dropout and a text that starts within the window,
  // and the memory that they use.
  struct Key {
    GraphKey operations;
    int64_t steps;
    bool drops, locked_drops, has_starts;
    const float *weights, *gradients;

    bool operator==(const Key& other) const {
      return operations == other.operations && steps == other.steps && drops == other.drops &&
             locked_drops == other.locked_drops && has_starts == other.has_starts &&
             weights == other.weights && gradients == other.gradients;
    }
  };
  struct Recording {
    Key key;
    int64_t computed;              // time steps of the workspace after the operations
    std::unique_ptr<Graph> graph;  // null until the second occurrence
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
  static constexpr size_t kMost = 16;  // graphs of windows of many lengths must not fill the memory
  std::vector<Recording> recordings_;
};

}  // namespace slm
