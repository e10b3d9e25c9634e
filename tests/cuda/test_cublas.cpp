// How cuBLAS is loaded: from the first library that is there, and the errors. The libraries are a
// plain one that the build makes (plain_blas.h) and the C library, which has no such functions.
// With an argument, tries that library alone and says whether all functions are in it.
#include <cstdio>
#include <string>

#include "check.h"
#include "load_cublas.h"

namespace {

constexpr auto kDevice = slm::ErrorKind::device;

void test_first_that_is_there() {
  const slm::Cublas cublas = slm::load_cublas({"libno-such-thing.so.13", SLM_PLAIN_BLAS});
  slm::Cublas::Handle handle = nullptr;
  CHECK_EQ(cublas.create(&handle), slm::cublas::kSuccess);
  CHECK_EQ(cublas.set_stream(handle, nullptr), slm::cublas::kSuccess);
  const float a[] = {1, 2}, b[] = {3, 4}, one = 1, zero = 0;
  float c[4] = {};
  const int float32 = slm::cublas::kFloat32;
  CHECK_EQ(cublas.gemm(handle, slm::cublas::kNone, slm::cublas::kNone, 1, 1, 2, &one, a, float32, 1,
                       b, float32, 2, &zero, c, float32, 1, slm::cublas::kComputeFloat32,
                       slm::cublas::kDefaultAlgorithm),
           slm::cublas::kSuccess);
  CHECK_EQ(c[0], 11.0f);
  CHECK_EQ(cublas.gemm_batched(handle, slm::cublas::kNone, slm::cublas::kNone, 1, 1, 1, &one, a,
                               float32, 1, 1, b, float32, 1, 1, &zero, c, float32, 1, 2, 2,
                               slm::cublas::kComputeFloat32, slm::cublas::kDefaultAlgorithm),
           slm::cublas::kSuccess);
  CHECK_EQ(c[0], 3.0f);
  CHECK_EQ(c[2], 8.0f);
  CHECK_EQ(cublas.destroy(handle), slm::cublas::kSuccess);
  CHECK_EQ(std::string(cublas.status_name(slm::cublas::kInvalidValue)),
           "an unsupported value or parameter was passed to the function");
}

void test_errors() {
  CHECK_THROWS(kDevice, "pip install 'slm-core[cuda]'", slm::load_cublas({"libno-such-thing.so"}));
  CHECK_THROWS(kDevice, "libno-such-thing.so.13: cannot open",
               slm::load_cublas({"libno-such-thing.so.13", "libno-such-thing.so.12"}));
  CHECK_THROWS(kDevice, "libno-such-thing.so.12: cannot open",
               slm::load_cublas({"libno-such-thing.so.13", "libno-such-thing.so.12"}));
  CHECK_THROWS(kDevice, "has no function cublasCreate_v2", slm::load_cublas({"libc.so.6"}));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) {
    slm::load_cublas({argv[1]});
    std::printf("%s has all functions\n", argv[1]);
    return 0;
  }
  test_first_that_is_there();
  test_errors();
  return test_result();
}
