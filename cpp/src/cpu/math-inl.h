// Partial loads and stores, exp, sigmoid, log and sums for the kernels. Included per instruction
// set, after its vec_*.h.
#pragma once

namespace slm {
namespace {

// `lanes` values at p, at most a register full.
inline Vec load_lanes(const float* p, int64_t lanes) {
  if (lanes >= Vec::kLanes) return Vec::load(p);
  return lanes > 0 ? Vec::load_partial(p, lanes) : Vec::zero();
}
inline void store_lanes(Vec x, float* p, int64_t lanes) {
  if (lanes >= Vec::kLanes)
    x.store(p);
  else if (lanes > 0)
    x.store_partial(p, lanes);
}

// e^x with a relative error below 2e-7. x is clamped to [-87.3, 88.3], where e^x is a normal float.
// x = n ln2 + r with |r| <= ln2 / 2; e^r is its Taylor series to r^7, evaluated by Horner's rule.
inline Vec exp(Vec x) {
  x = min(Vec::all(88.3f), max(Vec::all(-87.3f), x));  // in this order a NaN stays one
  const Vec n = round(x * Vec::all(1.44269504f));
  Vec r = fnmadd(n, Vec::all(0.693359375f), x);  // ln2 in two parts: the first has few bits, so
  r = fnmadd(n, Vec::all(-2.12194440e-4f), r);   // that n times it is exact
  Vec p = Vec::all(1.0f / 5040);
  p = fmadd(p, r, Vec::all(1.0f / 720));
  p = fmadd(p, r, Vec::all(1.0f / 120));
  p = fmadd(p, r, Vec::all(1.0f / 24));
  p = fmadd(p, r, Vec::all(1.0f / 6));
  p = fmadd(p, r, Vec::all(0.5f));
  p = fmadd(p, r, Vec::all(1.0f));
  p = fmadd(p, r, Vec::all(1.0f));
  return p * pow2(n);
}

inline Vec sigmoid(Vec x) { return Vec::all(1.0f) / (Vec::all(1.0f) + exp(Vec::zero() - x)); }

// Natural logarithm of a positive normal number, error below 1e-15: x = m 2^e with m around 1, and
// log m = 2 atanh(s), s = (m - 1) / (m + 1), as its power series.
inline double log_positive(double x) {
  int64_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  int64_t exponent = (bits >> 52) - 1023;
  bits = (bits & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000;
  double m;
  __builtin_memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1) / (m + 1), s2 = s * s;
  double series = 0;
  for (int k = 21; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
  return 2 * s * series + static_cast<double>(exponent) * 0.6931471805599453;
}

// A sum over sixteen running lanes, whatever the register width, so that the bits are the same on
// every instruction set. The array's length must be a multiple of sixteen.
struct LaneSum {
  static constexpr int kVecs = 16 / Vec::kLanes;
  Vec lanes[kVecs];

  LaneSum() {
    for (Vec& lane : lanes) lane = Vec::zero();
  }
  float total() const {
    float x[16];
    for (int i = 0; i < kVecs; ++i) lanes[i].store(x + i * Vec::kLanes);
    for (int width = 8; width >= 1; width /= 2)
      for (int i = 0; i < width; ++i) x[i] += x[i + width];
    return x[0];
  }
};

}  // namespace
}  // namespace slm
