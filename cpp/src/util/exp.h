#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace slm {

// e^x for x <= 0, within 1e-15 of the true value relatively, and 0 below -708. Unlike std::exp it
// gives the same bits with every C library, which sampling promises.
inline double exp_nonpositive(double x) {
  if (!(x >= -708.0)) return 0.0;
  // x = k ln 2 + r with |r| <= ln 2 / 2. The high part of ln 2 ends in zeros: its product is exact.
  const double k = std::floor(x * 1.4426950408889634 + 0.5);
  const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  // Taylor series: the first term left out, r^14 / 14!, is below 5e-18.
  double sum = 1.0;
  for (int n = 13; n > 0; --n) sum = 1.0 + sum * r / n;
  const uint64_t bits = static_cast<uint64_t>(static_cast<int64_t>(k) + 1023) << 52;
  double power_of_two;
  std::memcpy(&power_of_two, &bits, sizeof power_of_two);
  return sum * power_of_two;
}

}  // namespace slm
