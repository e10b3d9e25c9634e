#include "backend.cuh"
#include "graph.cuh"

namespace slm {
namespace {

// Captures what this thread launches on the stream, for the lifetime of the object.
class Recorder {
 public:
  explicit Recorder(const Stream& stream) : stream_(stream) { stream_.begin_recording(); }
  ~Recorder() {
    if (!ended_) cudaGraphDestroy(end());
  }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Null if an operation was called that cannot be captured.
  cudaGraph_t end() {
    ended_ = true;
    return stream_.end_recording();
  }

 private:
  const Stream& stream_;
  bool ended_ = false;
};

}  // namespace

Graph Graph::record(const Stream& stream, const std::function<void()>& operations) {
  Recorder recorder(stream);
  operations();
  const cudaGraph_t graph = recorder.end();
  if (graph == nullptr)
    throw Error(ErrorKind::device, "the CUDA device cannot record a window's operations");
  cudaGraphExec_t exec = nullptr;
  const cudaError_t code = cudaGraphInstantiate(&exec, graph, 0);
  cudaGraphDestroy(graph);
  cuda_check(code, "prepare recorded operations");
  return Graph(exec);
}

void Graph::launch(cudaStream_t stream) const {
  cuda_check(cudaGraphLaunch(exec_.get(), stream), "run recorded operations");
}

// Operations are run without capture the first time: the initialization of a library cannot be
// captured, and a window that occurs once is not worth capturing.
void CudaBackend::capture_or_run(Workspace& any_workspace, const Weights& weights,
                                 const Gradients* gradients, GraphKey operations, int64_t steps,
                                 const std::function<void()>& run) const {
  auto& ws = static_cast<CudaWorkspace&>(any_workspace);
  Recordings::Key key = {
      operations, steps,  ws.dropout.rate > 0, ws.dropout.locked_rate > 0, ws.has_starts,
      nullptr,    nullptr};
  key.weights = device_data(static_cast<const CudaWeights&>(weights).values);
  if (gradients != nullptr)
    key.gradients = static_cast<const CudaGradients*>(gradients)->values.get();
  Recordings::Recording* known = ws.recordings.find(key);
  if (known == nullptr) {
    run();
    ws.recordings.add(key, ws.computed);
    return;
  }
  if (known->graph == nullptr) known->graph = std::make_unique<Graph>(Graph::record(stream_, run));
  known->graph->launch(stream_);
  ws.computed = known->computed;
}

}  // namespace slm
