#pragma once
// The device that the emulator says is there, and how much memory it has. Tests change it.
#include <cstddef>
#include <cstdint>

#include "runtime.h"

#define CUDART_VERSION 13000

namespace emulate {

struct Device {
  cudaError_t found = cudaSuccess;  // what asking for devices gives
  int count = 1;
  int driver_version = CUDART_VERSION;  // 0: there is no driver
  cudaError_t code = cudaSuccess;       // whether there is code for it
  bool has_cublas = true;
};

inline Device device;

}  // namespace emulate

struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor;
};
struct cudaFuncAttributes {};

inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = emulate::device.count;
  return emulate::device.found;
}
inline cudaError_t cudaDriverGetVersion(int* version) {
  *version = emulate::device.driver_version;
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"an emulated device", emulate::memory, 9, 0};
  return cudaSuccess;
}
template <class Kernel>
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, Kernel*) {
  return emulate::device.code;
}
