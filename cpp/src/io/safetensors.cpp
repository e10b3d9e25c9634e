#include "io/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <system_error>
#include <tuple>
#include <unordered_set>

#include "io/json.h"
#include "slm/error.h"
#include "util/quote.h"
#include "util/require.h"

namespace slm {
namespace {

// A header is read whole, and parsed it takes some twenty times its size. The largest model's has
// about 100 bytes for each of some ten thousand tensors.
constexpr int64_t kMaxHeader = int64_t{1} << 24;
constexpr int64_t kMaxFile = int64_t{1} << 50;  // so that no sum of offsets overflows

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format's values are little-endian");

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::format, sentence); }

struct Dtype {
  const char* name;
  int64_t size;  // bytes of a value
};
constexpr Dtype kDtypes[] = {{"F64", 8}, {"F32", 4}, {"F16", 2},     {"BF16", 2},    {"I64", 8},
                             {"I32", 4}, {"I16", 2}, {"I8", 1},      {"U64", 8},     {"U32", 4},
                             {"U16", 2}, {"U8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1}};

// Sizes or offsets.
std::vector<int64_t> naturals(const Json::Array& array, const std::string& where) {
  std::vector<int64_t> numbers;
  for (const Json& item : array) {
    const auto* number = item.get_if<int64_t>();
    if (number == nullptr || *number < 0) refuse(where + " must hold only integers from 0 up");
    numbers.push_back(*number);
  }
  return numbers;
}

std::string describe(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  return text + ')';
}

// `data` is where the values of the file begin and `end` where they end, in bytes.
TensorEntry read_entry(const std::string& name, const Json& json, int64_t data, int64_t end,
                       const std::string& file) {
  const std::string where = "tensor " + quote(name) + " in " + file;
  JsonFields fields(json, where);
  TensorEntry entry;
  entry.name = name;
  entry.dtype = fields.string("dtype");
  entry.shape = naturals(fields.array("shape"), "the shape of " + where);
  const auto offsets = naturals(fields.array("data_offsets"), "data_offsets of " + where);
  fields.finish();

  const int64_t size = dtype_size(entry.dtype);
  if (size == 0) refuse(where + " has the unknown dtype " + quote(entry.dtype));
  entry.count = 1;
  for (const int64_t n : entry.shape) {
    if (n > 0 && entry.count > (end - data) / size / n)
      refuse(where + " has the shape " + describe(entry.shape) +
             ", which is more than the whole file holds");
    entry.count *= n;
  }
  entry.bytes = entry.count * size;
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > end - data)
    refuse(where + " has data_offsets that do not lie within the file's " +
           std::to_string(end - data) + " bytes of data; the file may be cut short");
  if (offsets[1] - offsets[0] != entry.bytes)
    refuse(where + " has the shape " + describe(entry.shape) + ", hence " +
           std::to_string(entry.bytes) + " bytes, but takes up " +
           std::to_string(offsets[1] - offsets[0]));
  entry.offset = data + offsets[0];
  return entry;
}

}  // namespace

int64_t dtype_size(const std::string& dtype) {
  for (const Dtype& known : kDtypes)
    if (dtype == known.name) return known.size;
  return 0;
}

TensorFile::TensorFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK a pipe would keep us waiting for its writer.
  file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file_ < 0) fail_io(errno);
  try {
    read_header();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

TensorFile::~TensorFile() { ::close(file_); }

void TensorFile::read_header() {
  struct stat status;
  if (::fstat(file_, &status) != 0) fail_io(errno);
  if (!S_ISREG(status.st_mode)) fail_io(S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  const int64_t end = status.st_size;
  const std::string file = quote(path_);
  if (end < 8 || end > kMaxFile)
    refuse(file + " is no safetensors file: it has " + std::to_string(end) + " bytes");
  uint64_t length;
  read_bytes(0, 8, &length);
  if (length > static_cast<uint64_t>(std::min(end - 8, kMaxHeader)))
    refuse(file + " is no safetensors file, or it is cut short: its header would have " +
           std::to_string(length) + " bytes, but the file has " + std::to_string(end) +
           " and a header at most " + std::to_string(kMaxHeader));
  std::string text(length, '\0');
  read_bytes(8, static_cast<int64_t>(length), text.data());
  const Json header = Json::parse(text, "the header of " + file);
  const auto* members = header.get_if<Json::Object>();
  if (members == nullptr)
    refuse("the header of " + file + " must be an object, not " + header.type_name());
  const int64_t data = 8 + static_cast<int64_t>(length);
  for (const auto& [name, json] : *members) {
    if (name == "__metadata__")
      read_metadata(json);
    else
      tensors_.push_back(read_entry(name, json, data, end, file));
  }
  check_layout(data, end);
}

void TensorFile::read_metadata(const Json& json) {
  const std::string where = "__metadata__ of " + quote(path_);
  const auto* members = json.get_if<Json::Object>();
  if (members == nullptr) refuse(where + " must be an object, not " + json.type_name());
  for (const auto& [key, value] : *members) {
    const auto* text = value.get_if<std::string>();
    if (text == nullptr) refuse(quote(key) + " in " + where + " must be a string");
    metadata_.emplace_back(key, *text);
  }
}

// The tensors must follow each other without a gap or an overlap, from the header to the end.
void TensorFile::check_layout(int64_t data, int64_t end) {
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.offset, a.bytes) < std::tie(b.offset, b.bytes);
  });
  int64_t position = data;
  for (const TensorEntry& entry : tensors_) {
    if (entry.offset != position)
      refuse("tensor " + quote(entry.name) + " in " + quote(path_) + " begins at byte " +
             std::to_string(entry.offset) +
             "; it must begin where the one before it ends, at byte " + std::to_string(position));
    position += entry.bytes;
    index_[entry.name] = static_cast<size_t>(&entry - tensors_.data());
  }
  if (position != end)
    refuse(quote(path_) + " has " + std::to_string(end) + " bytes; its tensors end at byte " +
           std::to_string(position));
}

const TensorEntry* TensorFile::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const std::string* TensorFile::metadata(const std::string& key) const {
  for (const auto& [name, value] : metadata_)
    if (name == key) return &value;
  return nullptr;
}

const TensorEntry& TensorFile::at(const std::string& name) const {
  const TensorEntry* entry = find(name);
  if (entry == nullptr) refuse("tensor " + quote(name) + " is missing in " + quote(path_));
  return *entry;
}

const TensorEntry& TensorFile::expect(const std::string& name,
                                      const std::vector<std::string>& dtypes,
                                      const std::vector<int64_t>& shape) const {
  const TensorEntry& entry = at(name);
  const bool known = std::find(dtypes.begin(), dtypes.end(), entry.dtype) != dtypes.end();
  if (!known || entry.shape != shape)
    refuse("tensor " + quote(name) + " in " + quote(path_) + " is " + entry.dtype + " of shape " +
           describe(entry.shape) + ", but must be " + either(dtypes) + " of shape " +
           describe(shape));
  return entry;
}

void TensorFile::expect_only(const std::vector<std::string>& names) const {
  const std::unordered_set<std::string> known(names.begin(), names.end());
  for (const TensorEntry& entry : tensors_)
    if (known.count(entry.name) == 0)
      refuse("tensor " + quote(entry.name) + " in " + quote(path_) + " is not one of this model's");
}

void TensorFile::read(const TensorEntry& entry, int64_t offset, int64_t count, void* out) const {
  const int64_t size = dtype_size(entry.dtype);
  read_bytes(entry.offset + offset * size, count * size, out);
}

void TensorFile::read_f32(const TensorEntry& entry, float* out) const {
  read(entry, 0, entry.count, out);
  expect_finite(entry, out, 0, entry.count);
}

void TensorFile::expect_finite(const TensorEntry& entry, const float* values, int64_t first,
                               int64_t count) const {
  for (int64_t i = 0; i < count; ++i)
    if (!std::isfinite(values[i]))
      refuse("tensor " + quote(entry.name) + " in " + quote(path_) + " holds " +
             (std::isnan(values[i]) ? "NaN" : "an infinity") + " at value " +
             std::to_string(first + i) + "; all values must be finite");
}

// Reading and not mapping: a file that another program cuts short meanwhile is an error and no
// signal.
void TensorFile::read_bytes(int64_t offset, int64_t size, void* out) const {
  char* bytes = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t got = ::pread(file_, bytes, static_cast<size_t>(size), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(errno);
    if (got == 0) refuse(quote(path_) + " was cut short while it was read");
    bytes += got;
    offset += got;
    size -= got;
  }
}

void TensorFile::fail_io(int os_code) const {
  std::string why = std::generic_category().message(os_code);
  if (os_code == ENOENT)
    why = "there is no such file";
  else if (os_code == EISDIR)
    why = "it is a folder";
  else if (os_code == EINVAL)
    why = "it is not a regular file";
  throw Error(ErrorKind::io, "cannot read " + quote(path_) + ": " + why, os_code);
}

}  // namespace slm
