// Finds out whether this build can use the first device, which is the first that
// CUDA_VISIBLE_DEVICES names, and makes the backend on it.
#include "backend.cuh"

namespace slm {
namespace {

__global__ void nothing() {}

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

// The reason why the driver has no device, or an empty string.
std::string why_no_device() {
  int count = 0, driver = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess && count > 0) return "";
  if (code == cudaSuccess || code == cudaErrorNoDevice)
    return "the NVIDIA driver has no device that it may use";
  cudaDriverGetVersion(&driver);
  if (driver == 0) return "there is no NVIDIA driver";
  if (code == cudaErrorInsufficientDriver)
    return "the NVIDIA driver is too old: it is for CUDA " + version(driver) +
           ", and this build of slm needs one for CUDA " + version(CUDART_VERSION);
  return std::string("the NVIDIA driver does not work: ") + cudaGetErrorString(code);
}

Precision precision_of(const std::string& name) {
  if (name == "tf32") return Precision::tf32;
  return name == "bf16" ? Precision::bf16 : Precision::float32;
}

}  // namespace

CudaDevice find_cuda_device() {
  const std::string reason = why_no_device();
  if (!reason.empty()) return {false, reason};
  cudaDeviceProp device;
  if (const cudaError_t code = cudaGetDeviceProperties(&device, 0))
    return {false, std::string("the CUDA device does not work: ") + cudaGetErrorString(code)};
  const std::string name = device.name;
  cudaFuncAttributes attributes;
  const cudaError_t code = cudaFuncGetAttributes(&attributes, nothing);
  if (code == cudaErrorDevicesUnavailable)
    return {false, name + " is in use by another program that keeps it to itself"};
  if (code != cudaSuccess)
    return {false, "this build of slm cannot run on " + name + " (compute capability " +
                       std::to_string(device.major) + "." + std::to_string(device.minor) +
                       "): " + cudaGetErrorString(code)};
  try {
    use_cublas();
  } catch (const Error& error) {
    return {false, error.what()};
  }
  return {true, name + ", " + std::to_string(device.totalGlobalMem >> 20) + " MiB"};
}

void require_cublas() { use_cublas(); }

std::shared_ptr<const Backend> make_cuda_backend(const std::string& precision) {
  return std::make_shared<CudaBackend>(precision_of(precision));
}

}  // namespace slm
