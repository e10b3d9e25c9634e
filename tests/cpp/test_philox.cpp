// The generator against its authors' vectors, and the properties that the rest relies on.
#include "check.h"
#include "numerics/philox.h"

using slm::Philox;
using slm::PhiloxStream;

namespace {

using Words = std::array<uint32_t, 4>;

// From Random123's kat_vectors, "philox4x32 10".
void test_published_vectors() {
  const uint32_t ones = 0xffffffff;
  CHECK(Philox::permute({0, 0, 0, 0}, {0, 0}) ==
        Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(Philox::permute({ones, ones, ones, ones}, {ones, ones}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(
      Philox::permute({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
      Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

// Every part of the address reaches the counter or the key: nothing is cut to fewer bits.
void test_layout() {
  const uint64_t seed = 0x299f31d0a4093822;
  const uint64_t counter = 0x85a308d3243f6a88;
  CHECK(Philox(seed, PhiloxStream::sample, 0x13198a2e).bits(counter) ==
        Philox::permute({0x243f6a88, 0x85a308d3, 0x13198a2e, 2}, {0xa4093822, 0x299f31d0}));
}

void test_ranges() {
  const Philox random(7, PhiloxStream::window);
  double sum = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const double u = random.uniform_double(i);
    CHECK(u >= 0 && u < 1);
    CHECK(random.uniform(i) < 1.0f);
    CHECK(random.below(13, i) < 13);
    sum += u;
  }
  CHECK_NEAR(sum / 10000, 0.5, 0.012);  // four standard errors
  CHECK_EQ(random.below(1, 5), 0);
}

}  // namespace

int main() {
  test_published_vectors();
  test_layout();
  test_ranges();
  return test_result();
}
