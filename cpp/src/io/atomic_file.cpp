#include "io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "slm/error.h"
#include "util/quote.h"

namespace slm {
namespace {

namespace fs = std::filesystem;

std::string folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  if (path.empty()) fail(ENOENT);
  std::error_code error;
  if (fs::is_symlink(path, error)) {
    const fs::path target = fs::canonical(path, error);
    if (error) fail(error.value());
    path_ = target.string();
  }
  // Told now and not by rename(), when all has been written; and a device is not to be replaced.
  struct stat status;
  const bool exists = ::stat(path_.c_str(), &status) == 0;
  if (exists && !S_ISREG(status.st_mode)) fail(S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  temporary_ = path_ + ".slm-tmp";
  open_temporary();
  // Who may read the old file may read the new one. Where the owner may not say so, it is created
  // like any other.
  if (exists) (void)!::fchmod(file_, status.st_mode & 07777);
}

// The name is fixed, so that what a killed process leaves behind is taken over and not piled up.
// The lock keeps two processes from writing it at once.
void AtomicFile::open_temporary() {
  for (;;) {
    // Without O_NONBLOCK, a pipe of that name would be waited for.
    file_ =
        ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file_ < 0) fail_temporary(errno);
    const bool locked = ::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    struct stat ours, named;
    // Whoever held the lock may have renamed the file meanwhile: then it is no longer ours to
    // touch.
    const bool is_ours = ::fstat(file_, &ours) == 0 && ::stat(temporary_.c_str(), &named) == 0 &&
                         is_same_file(ours, named);
    const bool is_regular = is_ours && S_ISREG(ours.st_mode);
    if (locked && is_regular) break;
    ::close(file_);
    file_ = -1;
    if (!locked) fail(EBUSY);
    if (is_ours) fail_temporary(EINVAL);
  }
  if (::ftruncate(file_, 0) != 0) {
    const int code = errno;
    ::close(file_);
    fail(code);
  }
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::unlink(temporary_.c_str());
  ::close(file_);
}

void AtomicFile::write(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(file_, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(errno);
    bytes += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(file_) != 0) fail(errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(errno);
  ::close(file_);
  file_ = -1;
  // The new name lives in the folder. Some file systems cannot sync a folder, and need not.
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

// The name beside the path is taken by something that is no file of ours.
void AtomicFile::fail_temporary(int os_code) const {
  if (os_code != EISDIR && os_code != ELOOP && os_code != EINVAL && os_code != ENXIO) fail(os_code);
  throw Error(ErrorKind::io,
              "cannot write " + quote(path_) + ": " + quote(temporary_) +
                  ", where it is written first, is not a regular file; remove that",
              os_code);
}

void AtomicFile::fail(int os_code) const {
  const std::string folder = folder_of(path_);
  std::string why = std::generic_category().message(os_code);
  std::error_code ignored;
  if (path_.empty())
    why = "the path is empty";
  else if (os_code == ENOENT && !fs::exists(folder, ignored))
    why = "there is no folder " + quote(folder);
  else if (os_code == EISDIR)
    why = "it is a folder";
  else if (os_code == EINVAL)
    why = "it is not a regular file";
  else if (os_code == EBUSY)
    why = "another save is writing it";
  throw Error(ErrorKind::io, "cannot write " + quote(path_) + ": " + why, os_code);
}

}  // namespace slm
