#include "util/number_text.h"

#include <locale>
#include <sstream>

namespace slm {
namespace {

template <typename Number>
std::string shortest_text(Number value, int fewest_digits, int most_digits) {
  std::string text;
  for (int digits = fewest_digits; digits <= most_digits; ++digits) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    text = out.str();
    if (value - value == 0 && static_cast<Number>(parse_number(text)) == value) break;
  }
  return text;
}

}  // namespace

std::string number_text(float value) { return shortest_text(value, 6, 9); }
std::string number_text(double value) { return shortest_text(value, 15, 17); }

double parse_number(const std::string& text) {
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  in >> value;
  return value;
}

}  // namespace slm
