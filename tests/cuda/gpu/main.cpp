// Runs a test where there is a device to run it on; its main is test_main here.
#include <cstdio>

#include "backend.h"

int test_main();

int main() {
  const slm::CudaDevice device = slm::find_cuda_device();
  if (device.usable) return test_main();
  std::printf("not run, since %s\n", device.text.c_str());
  return SLM_NO_DEVICE;
}
