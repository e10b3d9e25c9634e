#pragma once
// The texts of samples.
#include <string>
#include <vector>

#include "slm/generator.h"

inline std::vector<std::string> texts_of(const std::vector<slm::Sample>& samples) {
  std::vector<std::string> texts;
  for (const slm::Sample& sample : samples) texts.push_back(sample.text);
  return texts;
}
