__global__ void count(int* visits) { atomicAdd(visits, 1); }

int main() {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  void* visits = nullptr;
  if (cudaStreamCreate(&stream) != cudaSuccess) return 1;
  if (cudaMallocAsync(&visits, sizeof(int), stream) != cudaSuccess) return 1;
  cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
  cudaLaunchConfig_t config = {};
  config.gridDim = config.blockDim = dim3(1);
  config.stream = stream;
  cudaLaunchKernelEx(&config, count, static_cast<int*>(visits));
  return cudaStreamEndCapture(stream, &graph) != cudaSuccess;
}
