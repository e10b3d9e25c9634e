#pragma once
// Numbers as text, the same in every locale: a program that embeds slm may have set one with
// decimal commas.
#include <cstdint>
#include <string>

namespace slm {

// As few digits as read back as the same value.
std::string number_text(float value);
std::string number_text(double value);
inline std::string number_text(int64_t value) { return std::to_string(value); }
inline std::string number_text(int value) { return std::to_string(value); }

double parse_number(const std::string& text);

}  // namespace slm
