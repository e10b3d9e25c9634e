// The one wording of values out of range, and numbers as text.
#include <limits>

#include "check.h"
#include "util/require.h"

using slm::ErrorKind;
using slm::Range;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

void test_integers() {
  const Range<int64_t> range{-3, 5};
  for (const int64_t value : {-3, 0, 5}) slm::require("x", value, range);
  CHECK_THROWS(ErrorKind::config, "x is -4, but must be from -3 to 5",
               slm::require("x", int64_t{-4}, range));
  CHECK_THROWS(ErrorKind::config, "x is 6,", slm::require("x", int64_t{6}, range));
  CHECK_THROWS(ErrorKind::config, "x is -1, but must be at least 0",
               slm::require("x", int64_t{-1}, Range<int64_t>{0}));
  // Beyond 2^53 a double would not tell these two apart.
  const Range<int64_t> large{0, int64_t{1} << 53};
  CHECK(large.holds(int64_t{1} << 53));
  CHECK(!large.holds((int64_t{1} << 53) + 1));
}

void test_reals() {
  const Range<float> at_least{0}, above{0, Range<float>{0}.high, true};
  const Range<float> half_open{0, 1, false, true}, nucleus{0, 1, true, false}, closed{0, 1};
  CHECK(at_least.holds(0) && !above.holds(0) && above.holds(1e-30f));
  CHECK(half_open.holds(0) && !half_open.holds(1));
  CHECK(nucleus.holds(1) && !nucleus.holds(0));
  CHECK(closed.holds(0) && closed.holds(1) && !closed.holds(1.0000001f));
  for (const auto& range : {at_least, above, half_open, nucleus, closed})
    for (const float bad : {kNan, kInfinity, -1.0f}) CHECK(!range.holds(bad));
  CHECK_EQ(at_least.text(), "a finite number of at least 0");
  CHECK_EQ(above.text(), "a finite number above 0");
  CHECK_EQ(half_open.text(), "at least 0 and below 1");
  CHECK_EQ(nucleus.text(), "above 0 and at most 1");
  CHECK_EQ(closed.text(), "from 0 to 1");
  const Range<double> unlimited{0, std::numeric_limits<double>::infinity()};
  CHECK(unlimited.holds(std::numeric_limits<double>::infinity()));
  CHECK_EQ(unlimited.text(), "at least 0");
  CHECK_THROWS(ErrorKind::config, "p is nan, but must be from 0 to 1",
               slm::require("p", kNan, closed));
}

void test_choices() {
  CHECK_EQ(slm::either({"a"}), "a");
  CHECK_EQ(slm::either({"a", "b"}), "a or b");
  CHECK_EQ(slm::either({"a", "b", "c"}), "a, b or c");
  CHECK_EQ(slm::require_choice("c", "b", {"a", "b"}), size_t{1});
  CHECK_THROWS(ErrorKind::device, "c is \"\\x0a\", but must be \"a\" or \"b\"",
               slm::require_choice("c", "\n", {"a", "b"}, ErrorKind::device));
}

void test_number_text() {
  CHECK_EQ(slm::number_text(0.1f), "0.1");
  CHECK_EQ(slm::number_text(0.1), "0.1");
  CHECK_EQ(slm::number_text(-1.0f), "-1");
  CHECK_EQ(slm::number_text(0.99999994f), "0.99999994");
  CHECK_EQ(slm::number_text(1.0 / 3), "0.3333333333333333");
  CHECK_EQ(slm::number_text(kInfinity), "inf");
}

}  // namespace

int main() {
  test_integers();
  test_reals();
  test_choices();
  test_number_text();
  return test_result();
}
