// Which device there is, and what is said where there is none: the sentences of each case.
#include "backend.h"
#include "check.h"
#include "memory.cuh"
#include "slm/model.h"

namespace {

const emulate::Device kUsable;

std::string reason() {
  const slm::CudaDevice found = slm::find_cuda_device();
  CHECK(!found.usable);
  return found.text;
}

void check_says(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) CHECK_EQ(text, part);
}

// Each is an error for device "cuda" that says so, and nothing for "auto".
void test_reasons() {
  const auto test = [](const emulate::Device& device, const char* sentence) {
    emulate::device = device;
    check_says(reason(), sentence);
    slm::ModelOptions options;
    options.device = "cuda";
    CHECK_THROWS(slm::ErrorKind::device, sentence, slm::Model(slm::Config(), options));
    options.device = "auto";
    CHECK_EQ(slm::Model(slm::Config(), options).device(), "cpu");
    emulate::device = kUsable;
  };
  test({cudaErrorInsufficientDriver, 0, 0, cudaSuccess, true}, "there is no NVIDIA driver");
  test({cudaErrorInsufficientDriver, 0, 12040, cudaSuccess, true},
       "the NVIDIA driver is too old: it is for CUDA 12.4, and this build of slm needs one for "
       "CUDA 13.0");
  test({cudaErrorNoDevice, 0, 13000, cudaSuccess, true}, "has no device that it may use");
  test({cudaSuccess, 0, 13000, cudaSuccess, true}, "has no device that it may use");
  test({cudaErrorLaunchFailure, 0, 13000, cudaSuccess, true}, "the NVIDIA driver does not work: ");
  test({cudaSuccess, 1, 13000, cudaErrorNoKernelImageForDevice, true},
       "cannot run on an emulated device (compute capability 9.0): no kernel image");
  test({cudaSuccess, 1, 13000, cudaErrorDevicesUnavailable, true},
       "an emulated device is in use by another program that keeps it to itself");
  test({cudaSuccess, 1, 13000, cudaSuccess, false}, "cuBLAS cannot be loaded");
}

void test_usable() {
  const slm::CudaDevice found = slm::find_cuda_device();
  CHECK(found.usable);
  CHECK_EQ(found.text, "an emulated device, 1048576 MiB");
  for (const std::string device : {"auto", "cuda"})
    for (const std::string precision : {"float32", "tf32", "bf16"})
      CHECK_EQ(slm::make_backend(device, 1, precision)->name(), "cuda");
  CHECK_EQ(slm::make_backend("cpu", 1, "float32")->name(), "cpu");
  CHECK_THROWS(slm::ErrorKind::device, "precision \"tf32\" is computed on CUDA devices alone",
               slm::make_backend("cpu", 1, "tf32"));
}

// A precision changes the products.
void test_precision() {
  const auto logits = [](const std::string& precision) {
    slm::Config config;
    config.embed_dim = config.state_dim = 8;
    slm::ModelOptions options;
    options.device = "cuda";
    options.precision = precision;
    const slm::Model model(config, options);
    slm::State state = model.new_state(1);
    std::vector<float> values(slm::kVocabSize);
    const uint8_t token = 'a';
    model.step(&token, state, values.data());
    return values;
  };
  const auto exact = logits("float32"), tf32 = logits("tf32"), bf16 = logits("bf16");
  CHECK(exact != tf32 && exact != bf16 && tf32 != bf16);
  for (size_t i = 0; i < exact.size(); ++i) {
    CHECK_NEAR(tf32[i], exact[i], 5e-3);
    CHECK_NEAR(bf16[i], exact[i], 5e-2);
  }
}

void test_memory() {
  const slm::Stream stream;
  emulate::memory = 5'000'000;
  CHECK_THROWS(slm::ErrorKind::device,
               "too little memory: of its 5 MB 5 are free, and 8 more are needed",
               slm::DeviceArray<float>(stream, 2'000'000));
  CHECK_THROWS(slm::ErrorKind::device, "too little memory",
               slm::make_backend("cuda", 1, "float32"));
  emulate::memory = size_t{1} << 40;
}

}  // namespace

int main() {
  test_reasons();
  test_usable();
  test_precision();
  test_memory();
  return test_result();
}
