#pragma once
// The one wording of every error about a value that is out of range:
// "learning_rate is -1, but must be a finite number above 0".
#include <limits>
#include <string>
#include <vector>

#include "slm/error.h"
#include "util/number_text.h"

namespace slm {

[[noreturn]] inline void refuse_value(const std::string& name, const std::string& value,
                                      const std::string& allowed,
                                      ErrorKind kind = ErrorKind::config) {
  throw Error(kind, name + " is " + value + ", but must be " + allowed);
}

// "a", "a or b", "a, b or c".
std::string either(const std::vector<std::string>& words);

// The numbers from `low` to `high`, perhaps without these two. Where `high` is the largest of its
// type there is no limit but that a number is finite. NaN is outside every range.
template <typename T>
struct Range {
  T low;
  T high = std::numeric_limits<T>::max();
  bool above = false;  // `low` itself is not allowed
  bool below = false;  // `high` itself is not allowed

  bool holds(T value) const {
    return (above ? value > low : value >= low) && (below ? value < high : value <= high);
  }

  std::string text() const {
    const std::string from = number_text(low), to = number_text(high);
    if (high == std::numeric_limits<T>::max() && std::numeric_limits<T>::has_infinity)
      return "a finite number " + (above ? "above " + from : "of at least " + from);
    if (high >= std::numeric_limits<T>::max()) return (above ? "above " : "at least ") + from;
    if (!above && !below) return "from " + from + " to " + to;
    return (above ? "above " : "at least ") + from + " and " + (below ? "below " : "at most ") + to;
  }
};

template <typename T>
void require(const std::string& name, T value, const Range<T>& range) {
  if (!range.holds(value)) refuse_value(name, number_text(value), range.text());
}

// Returns the index of `value` among the `known` words.
size_t require_choice(const std::string& name, const std::string& value,
                      const std::vector<std::string>& known, ErrorKind kind = ErrorKind::config);

}  // namespace slm
