#include "slm/text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "slm/error.h"
#include "util/quote.h"

namespace slm {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_io(const std::string& path, int os_code) {
  throw Error(ErrorKind::io,
              "cannot read " + quote(path) + ": " + std::generic_category().message(os_code),
              os_code);
}

// The folder's .txt files in the byte order of their paths. Links to files are followed; links to
// folders are not, so that no loop can form.
std::vector<std::string> files_of_folder(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;  // a link to nowhere is no regular file
    const std::string path = entry->path().string();
    const bool named_txt = path.size() > 4 && path.compare(path.size() - 4, 4, ".txt") == 0;
    if (named_txt && entry->is_regular_file(gone)) files.push_back(path);
  }
  if (error) fail_io(folder, error.value());
  if (files.empty()) {
    throw Error(ErrorKind::config,
                "the folder " + quote(folder) + " holds no .txt file at any depth");
  }
  std::sort(files.begin(), files.end());
  return files;
}

class File {
 public:
  // O_NONBLOCK: opening a pipe must not wait for a writer, only to be refused afterwards.
  explicit File(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    struct stat info{};
    if (fd_ < 0) fail_io(path, errno);
    if (::fstat(fd_, &info) != 0) {
      const int os_code = errno;
      ::close(fd_);
      fail_io(path, os_code);
    }
    if (!S_ISREG(info.st_mode)) {
      ::close(fd_);
      throw Error(ErrorKind::config, quote(path) +
                                         " is a pipe or a device, but a text must be a "
                                         "regular file or a folder");
    }
    size_ = static_cast<size_t>(info.st_size);
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }
  size_t size() const { return size_; }

  void append_to(std::vector<uint8_t>& bytes) const {
    const size_t start = bytes.size();
    bytes.resize(start + size_);
    size_t done = 0;
    while (done < size_) {
      const ssize_t count = ::read(fd_, bytes.data() + start + done, size_ - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_io(path_, errno);
      if (count == 0) break;  // the file has become shorter meanwhile
      done += static_cast<size_t>(count);
    }
    bytes.resize(start + done);
  }

 private:
  std::string path_;
  int fd_;
  size_t size_ = 0;
};

}  // namespace

struct Text::Impl {
  ~Impl() {
    if (mapping != MAP_FAILED) ::munmap(mapping, size);
  }

  // Training jumps about in the text, and reading ahead would fill memory with bytes that nobody
  // asked for.
  void map(const File& file) {
    mapping = ::mmap(nullptr, file.size(), PROT_READ, MAP_PRIVATE, file.fd(), 0);
    if (mapping == MAP_FAILED) return;
    ::madvise(mapping, file.size(), MADV_RANDOM);
    data = static_cast<const uint8_t*>(mapping);
    size = file.size();
  }

  void* mapping = MAP_FAILED;
  std::vector<uint8_t> bytes;  // where there is no mapping
  const uint8_t* data = nullptr;
  size_t size = 0;
};

std::vector<std::string> text_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const std::vector<std::string> found = files_of_folder(path);
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

Text::Text(const std::vector<std::string>& paths) : impl_(std::make_unique<Impl>()) {
  const std::vector<std::string> files = text_files(paths);
  if (files.empty()) throw Error(ErrorKind::config, "a text needs at least one file or folder");

  if (files.size() == 1) impl_->map(File(files[0]));
  if (impl_->data == nullptr) {
    size_t total = 0;
    for (const std::string& file : files) total += File(file).size();
    impl_->bytes.reserve(total);
    for (const std::string& file : files) File(file).append_to(impl_->bytes);
    impl_->data = impl_->bytes.data();
    impl_->size = impl_->bytes.size();
  }
  if (impl_->size == 0) {
    throw Error(ErrorKind::config, "the text is empty: " + quote(files[0]) +
                                       (files.size() > 1 ? " and the other files have" : " has") +
                                       " no byte");
  }
}

Text::Text(Text&&) noexcept = default;
Text& Text::operator=(Text&&) noexcept = default;
Text::~Text() = default;

const uint8_t* Text::data() const { return impl_->data; }
size_t Text::size() const { return impl_->size; }

}  // namespace slm
