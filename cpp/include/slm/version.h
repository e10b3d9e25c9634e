#pragma once

namespace slm {

/// The one place where the version is written: the build and the Python package read it here.
inline constexpr char kVersion[] = "0.1.0";

/// The model file format that this version writes and the newest that it reads.
inline constexpr int kFormatVersion = 1;

}  // namespace slm
