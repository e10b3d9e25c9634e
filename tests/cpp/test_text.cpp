// Files, folders and what is neither. Everything happens in a temporary folder of this process.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "check.h"
#include "slm/text.h"

namespace fs = std::filesystem;
using slm::ErrorKind;
using slm::Text;

namespace {

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(fs::temp_directory_path() / ("slm_test_text." + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~TemporaryFolder() { fs::remove_all(path_); }

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path(name);
  }

 private:
  fs::path path_;
};

std::string read(const std::vector<std::string>& paths) { return std::string(Text(paths).view()); }

void test_files(const TemporaryFolder& folder) {
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += static_cast<char>(i * 7);
  const std::string big = folder.write("big.bin", bytes);
  const std::string small = folder.write("small", std::string("\0\r\n\xff", 4));
  const std::string empty = folder.write("empty", "");

  CHECK(read({big}) == bytes);
  CHECK_EQ(read({small}), std::string("\0\r\n\xff", 4));
  CHECK(read({small, empty, big, small}) == read({small}) + bytes + read({small}));

  Text first({small});
  Text second(std::move(first));
  CHECK_EQ(second.size(), 4);
  second = Text({big});
  CHECK_EQ(second.size(), bytes.size());

  fs::remove(big);  // a mapping outlives the name
  CHECK(second.view() == bytes);
}

void test_folders(const TemporaryFolder& folder) {
  folder.write("tree/b.txt", "B");
  folder.write("tree/a.txt", "A");
  folder.write("tree/B.txt", "upper ");
  folder.write("tree/a/z.txt", "deep ");
  folder.write("tree/a/x/y.txt", "deeper ");
  folder.write("tree/readme.md", "no");
  folder.write("tree/txt", "no");
  folder.write("tree/.txt.gz", "no");
  folder.write("tree/c.txt/d.txt", "in a folder named so ");
  fs::create_directory_symlink(folder.path("tree"), folder.path("tree/a/loop"));
  fs::create_symlink(folder.path("nowhere"), folder.path("tree/dangling.txt"));
  fs::create_symlink(folder.path("tree/b.txt"), folder.path("tree/link.txt"));
  ::mkfifo(folder.path("tree/pipe.txt").c_str(), 0600);

  const std::string expected = "upper Adeeper deep Bin a folder named so B";
  CHECK_EQ(read({folder.path("tree")}), expected);
  CHECK_EQ(read({folder.path("tree") + "/"}), expected);
  CHECK_EQ(read({folder.path("tree/a"), folder.path("tree/b.txt")}), "deeper deep B");
}

void test_errors(const TemporaryFolder& folder) {
  const std::string missing = folder.path("missing.txt");
  CHECK_THROWS(ErrorKind::io, "cannot read \"" + missing + "\"", Text({missing}));
  try {
    Text({missing});
  } catch (const slm::Error& error) {
    CHECK_EQ(error.os_code(), ENOENT);
  }
  CHECK_THROWS(ErrorKind::io, "cannot read \"\"", Text({std::string()}));
  const std::string good = folder.write("good", "text");
  CHECK_THROWS(ErrorKind::io, missing, Text({good, missing}));
  CHECK_THROWS(ErrorKind::config, "at least one file", Text(std::vector<std::string>()));

  const std::string empty = folder.write("hollow/empty.txt", "");
  CHECK_THROWS(ErrorKind::config, "the text is empty", Text({empty}));
  CHECK_THROWS(ErrorKind::config, "the text is empty", Text({empty, folder.path("hollow")}));
  folder.write("other/file.md", "x");
  CHECK_THROWS(ErrorKind::config, "holds no .txt file", Text({folder.path("other")}));

  const std::string pipe = folder.path("pipe");
  ::mkfifo(pipe.c_str(), 0600);
  CHECK_THROWS(ErrorKind::config, "pipe or a device", Text({pipe}));
  CHECK_THROWS(ErrorKind::config, "pipe or a device", Text({std::string("/dev/zero")}));

  if (::geteuid() == 0) return;  // root may read everything
  ::chmod(good.c_str(), 0);
  CHECK_THROWS(ErrorKind::io, good, Text({good}));
  ::chmod(folder.path("hollow").c_str(), 0);
  CHECK_THROWS(ErrorKind::io, folder.path("hollow"), Text({folder.path("hollow")}));
  ::chmod(folder.path("hollow").c_str(), 0700);
}

// Larger than one would want to read: a mapping costs nothing.
void test_sparse_file(const TemporaryFolder& folder) {
  const std::string path = folder.write("sparse", "");
  fs::resize_file(path, uintmax_t{3} << 30);
  const Text text({path});
  CHECK_EQ(text.size(), size_t{3} << 30);
  CHECK_EQ(text.data()[text.size() - 1], 0);
}

}  // namespace

int main() {
  const TemporaryFolder folder;
  test_files(folder);
  test_folders(folder);
  test_errors(folder);
  test_sparse_file(folder);
  return test_result();
}
