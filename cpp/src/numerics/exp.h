#pragma once
#include <cstdint>
#include <cstring>

namespace slm {

// e^x for x <= 0, within 1e-15 of the true value relatively, and 0 below -708. Unlike std::exp it
// gives the same bits with every C library, which sampling promises.
inline double exp_nonpositive(double x) {
  if (!(x >= -708.0)) return 0.0;
  // x = k ln 2 + r with |r| <= ln 2 / 2. The high part of ln 2 ends in zeros: its product is exact.
  const auto exponent = static_cast<int64_t>(x * 1.4426950408889634 - 0.5);  // rounds, as x <= 0
  const auto k = static_cast<double>(exponent);
  const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  // Taylor series: the first term left out, r^14 / 14!, is below 5e-18.
  constexpr double kFactorials[] = {6227020800, 479001600, 39916800, 3628800, 362880, 40320, 5040,
                                    720,        120,       24,       6,       2,      1};
  double sum = 0;
  for (const double factorial : kFactorials) sum = (sum + 1 / factorial) * r;
  sum += 1;
  const uint64_t bits = static_cast<uint64_t>(exponent + 1023) << 52;
  double power_of_two;
  std::memcpy(&power_of_two, &bits, sizeof power_of_two);
  return sum * power_of_two;
}

}  // namespace slm
