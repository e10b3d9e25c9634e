#pragma once
// A folder for one test's files, gone with it.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& test)
      : path_(std::filesystem::temp_directory_path() /
              ("slm_" + test + "." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return (path_ / name).string(); }

  std::string write(const std::string& name, const std::string& bytes) const {
    // Overwriting would make some file systems wait for the disk.
    std::filesystem::remove(path_ / name);
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path(name);
  }

  std::string read(const std::string& name) const {
    std::ifstream file(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Names of all files, sorted, each followed by a space.
  std::string list() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.insert(entry.path().filename().string());
    std::string text;
    for (const std::string& name : names) text += name + ' ';
    return text;
  }

 private:
  std::filesystem::path path_;
};
