// Half precision: every half comes back, and a float becomes the nearest one.
#include "check.h"
#include "io/half.h"
#include "numerics/philox.h"

using slm::from_half;
using slm::to_half;

namespace {

constexpr int kInfinity = 0x7C00;

void test_every_half() {
  int same = 0;
  for (int half = 0; half < kInfinity; ++half) {
    same += to_half(from_half(static_cast<uint16_t>(half))) == half;
    const auto negative = static_cast<uint16_t>(half | 0x8000);
    same += to_half(from_half(negative)) == negative;
  }
  CHECK_EQ(same, 2 * kInfinity);
  CHECK_EQ(from_half(1), std::ldexp(1.0f, -24));
  CHECK_EQ(from_half(0x3C00), 1.0f);
  CHECK_EQ(from_half(0xC100), -2.5f);
  CHECK_EQ(from_half(kInfinity - 1), slm::kLargestHalf);
  CHECK_EQ(from_half(0xFC00), -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(from_half(0x7C01)) && std::isnan(from_half(0xFE00)));
}

// Between two neighbors: the midpoint goes to the even one, all else to the nearer.
void test_rounding() {
  int right = 0;
  for (int half = 0; half + 1 < kInfinity; ++half) {
    const float low = from_half(static_cast<uint16_t>(half));
    const float high = from_half(static_cast<uint16_t>(half + 1));
    const float middle = low + (high - low) / 2;
    right += to_half(middle) == half + half % 2 && to_half(std::nextafter(middle, 0.0f)) == half &&
             to_half(std::nextafter(middle, high)) == half + 1;
  }
  CHECK_EQ(right, kInfinity - 1);
  const slm::Philox random(1, slm::PhiloxStream::init);
  for (uint64_t i = 0; i < 1000; ++i) {
    const float value = 2 * random.uniform(i) - 1;
    CHECK_NEAR(from_half(to_half(value)), value, std::abs(value) / 2048 + 0x1p-25);
  }
}

}  // namespace

int main() {
  test_every_half();
  test_rounding();
  return test_result();
}
