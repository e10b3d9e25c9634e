#pragma once
// Names that files of earlier versions have. They are read as what they are called now, and never
// written.
#include <string>

namespace slm {

struct OldName {
  const char* now;
  const char* before;
};

constexpr OldName kOldNames[] = {
    // metadata keys
    {"slm.train_config", "slm.training"},
    // fields of the train config
    {"min_lr_ratio", "final_rate"},
    {"table_lr_scale", "ngram_rate"},
    {"locked_dropout", "layer_dropout"},
    {"input_noise", "noise"},
    {"max_spectral_radius", "max_radius"},
};

// The name that `name` replaced, or nullptr.
inline const char* old_name(const std::string& name) {
  for (const OldName& entry : kOldNames)
    if (name == entry.now) return entry.before;
  return nullptr;
}

}  // namespace slm
