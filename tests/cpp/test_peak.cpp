// The measuring loops do what they say that they do, and refuse what makes no sense.
#include <cmath>
#include <vector>

#include "check.h"
#include "cpu/isa.h"
#include "cpu/peak.h"

namespace {

void test_read_loop_reads_everything() {
  for (const slm::Kernels* kernels : slm::available_kernels())
    for (const int64_t n : {1, 7, 16, 31, 128, 1000, 4099}) {
      std::vector<float> x(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i % 10);
      float sum = 0;  // of small whole numbers: exact in any order
      for (float value : x) sum += value;
      CHECK_EQ(kernels->read_loop(x.data(), n), sum);
    }
}

void test_fma_loop_counts_its_operations() {
  for (const slm::Kernels* kernels : slm::available_kernels()) {
    float once = NAN, often = NAN;
    const double operations = kernels->fma_loop(1, &once);
    CHECK(operations >= 2);
    CHECK_EQ(kernels->fma_loop(100, &often), 100 * operations);
    CHECK(std::isfinite(once) && std::isfinite(often) && once != often);
  }
}

}  // namespace

int main() {
  test_read_loop_reads_everything();
  test_fma_loop_counts_its_operations();
  for (const int threads : {0, 1, 3}) {
    CHECK(slm::measure_fma(threads, 0) > 0);
    for (const int64_t bytes : {4, 4096, 1 << 20}) CHECK(slm::measure_read(threads, bytes, 0) > 0);
  }
  using slm::ErrorKind;
  CHECK_THROWS(ErrorKind::config, "threads is -1", slm::measure_fma(-1, 0));
  CHECK_THROWS(ErrorKind::config, "threads is 1025", slm::measure_read(1025, 4096, 0));
  CHECK_THROWS(ErrorKind::config, "num_bytes is 3", slm::measure_read(1, 3, 0));
  return test_result();
}
