// Safetensors files: our own come back, and every header that lies is refused by name.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <limits>

#include "check.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "temporary_folder.h"

using slm::ErrorKind;
using slm::TensorFile;

namespace {

using Shape = std::vector<int64_t>;

// A file with this header; `data` bytes of zeros follow.
std::string file_bytes(const std::string& header, size_t data, int64_t length = -1) {
  const uint64_t size = length < 0 ? header.size() : static_cast<uint64_t>(length);
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(size >> (8 * i));
  return bytes + header + std::string(data, '\0');
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

void test_round_trip(const TemporaryFolder& folder) {
  // More than one piece of the writer's, and sizes that leave the header unaligned.
  std::vector<float> big(300000), small = {1.5f, -0.0f, 1e-45f};
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<float>(i) * 0.1f;
  const std::vector<slm::TensorSource> sources = {
      slm::tensor_source("big", {300, 1000}, big.data()),
      slm::tensor_source("small", {3}, small.data()), slm::tensor_source("none", {0, 7}, nullptr),
      slm::tensor_source("scalar", {}, small.data())};
  const std::string path = folder.path("a.safetensors");
  slm::write_tensor_file(path, {{"key", "a \"text\"\n\xc3\xa9"}}, sources);
  slm::write_tensor_file(folder.path("b"), {{"key", "a \"text\"\n\xc3\xa9"}}, sources);
  CHECK(folder.read("a.safetensors") == folder.read("b"));
  CHECK_EQ(folder.list(), "a.safetensors b ");

  const TensorFile file(path);
  CHECK_EQ(file.tensors().size(), size_t{4});
  CHECK_EQ(file.find("big")->offset % 8, 0);
  CHECK_EQ(*file.metadata("key"), "a \"text\"\n\xc3\xa9");
  CHECK(file.metadata("other") == nullptr);
  CHECK(file.find("other") == nullptr);
  std::vector<float> back(big.size());
  file.read_f32(file.expect_f32("big", {300, 1000}), back.data());
  CHECK(back == big);
  file.read_f32(file.expect_f32("small", {3}), back.data());
  CHECK(std::equal(small.begin(), small.end(), back.begin()));
  CHECK(std::signbit(back[1]));
  CHECK_EQ(file.expect_f32("none", {0, 7}).count, 0);
  CHECK_EQ(file.expect_f32("scalar", {}).count, 1);

  CHECK_THROWS(ErrorKind::format, "tensor \"x\" is missing", file.expect_f32("x", {3}));
  CHECK_THROWS(ErrorKind::format,
               "is F32 of shape (300, 1000), but must be F32 of shape (1000, 300)",
               file.expect_f32("big", {1000, 300}));
  CHECK_THROWS(ErrorKind::format, "tensor \"small\"", file.expect_only({"big", "none", "scalar"}));
  file.expect_only({"big", "none", "scalar", "small", "more"});
}

// Values of other dtypes are written and read as they are, the widest first.
void test_dtypes(const TemporaryFolder& folder) {
  const std::vector<int8_t> bytes = {-128, 0, 127};
  const std::vector<uint16_t> halves = {0, 1, 0xFFFF};
  const std::vector<uint32_t> rows = {7, 0xFFFFFFFF};
  const float value = 1.5f;
  const auto source = [](const char* name, const char* dtype, const auto& values) {
    return slm::TensorSource{name,
                             dtype,
                             {static_cast<int64_t>(values.size())},
                             [&values](int64_t offset, int64_t count, void* to) {
                               std::copy_n(values.data() + offset, count,
                                           static_cast<std::decay_t<decltype(values[0])>*>(to));
                             }};
  };
  const std::string path = folder.path("dtypes");
  slm::write_tensor_file(path, {},
                         {source("b", "I8", bytes), source("h", "F16", halves),
                          slm::tensor_source("f", {1}, &value), source("r", "U32", rows)});
  const TensorFile file(path);
  std::string order;
  for (const slm::TensorEntry& entry : file.tensors()) order += entry.name;
  CHECK_EQ(order, "frhb");
  std::vector<int8_t> bytes_back(2);
  file.read(file.at("b"), 1, 2, bytes_back.data());
  CHECK((bytes_back == std::vector<int8_t>{0, 127}));
  std::vector<uint16_t> halves_back(3);
  file.read(file.expect("h", {"F32", "F16"}, {3}), 0, 3, halves_back.data());
  CHECK(halves_back == halves);
  std::vector<uint32_t> rows_back(2);
  file.read(file.at("r"), 0, 2, rows_back.data());
  CHECK(rows_back == rows);
  CHECK_THROWS(ErrorKind::format, "is I8 of shape (3), but must be F32, F16 or U32 of shape (4)",
               file.expect("b", {"F32", "F16", "U32"}, {4}));
}

// A header, the bytes of data behind it, and what the sentence must say.
struct BadHeader {
  std::string header;
  size_t data;
  const char* part;
};

std::vector<BadHeader> bad_headers() {
  const std::string good = tensor("F32", "[2]", "[0,8]");
  const auto one = [](const std::string& json) { return "{\"t\":" + json + "}"; };
  const std::string max = "9223372036854775807", beyond = "9223372036854775808";
  std::vector<BadHeader> bad = {
      {"", 0, "at byte 0"},
      {"{", 0, "not valid JSON"},
      {"[]", 0, "must be an object"},
      {"{} x", 0, "at byte 3"},
      {"{}", 1, "its tensors end at byte"},
      {one("1"), 8, "tensor \"t\""},
      {one("{}"), 8, "the field \"dtype\""},
      {one("{\"dtype\":1,\"shape\":[2],\"data_offsets\":[0,8]}"), 8, "must be a string"},
      {one("{\"dtype\":\"F32\",\"data_offsets\":[0,8]}"), 8, "the field \"shape\""},
      {one("{\"dtype\":\"F32\",\"shape\":[2]}"), 8, "the field \"data_offsets\""},
      {one("{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}"), 8, "\"x\""},
      {one(tensor("F33", "[2]", "[0,8]")), 8, "unknown dtype \"F33\""},
      {one(tensor("F64", "[2]", "[0,8]")), 8, "more than the whole file"},
      {one(tensor("F16", "[2]", "[0,8]")), 8, "hence 4 bytes"},
      {one(tensor("F32", "2", "[0,8]")), 8, "must be an array"},
      {one(tensor("F32", "[1]", "[0,8]")), 8, "hence 4 bytes"},
      {one(tensor("F32", "[3]", "[0,8]")), 8, "more than the whole file"},
      {one(tensor("F32", "[0]", "[0,8]")), 8, "hence 0 bytes"},
      {one(tensor("F32", "[2]", "[]")), 8, "data_offsets"},
      {one(tensor("F32", "[2]", "[0]")), 8, "data_offsets"},
      {one(tensor("F32", "[2]", "[0,8,8]")), 8, "data_offsets"},
      {one(tensor("F32", "[2]", "[8,0]")), 8, "data_offsets"},
      {one(good), 7, "more than the whole file"},
      {one(good), 9, "its tensors end at byte"},
      {one(tensor("F32", "[2]", "[1,9]")), 9, "begins at byte"},
      {"{\"t\":" + good + ",\"t\":" + good + "}", 8, "duplicate key \"t\""},
      {"{\"t\":" + good + ",\"u\":" + good + "}", 8, "\"u\""},
      {"{\"t\":" + good + ",\"u\":" + tensor("F32", "[2]", "[4,12]") + "}", 12, "begins at byte"},
      {"{\"t\":" + good + ",\"u\":" + tensor("F32", "[2]", "[12,20]") + "}", 20, "begins at byte"},
      {"{\"__metadata__\":[]}", 0, "__metadata__"},
      {"{\"__metadata__\":{\"a\":1}}", 0, "must be a string"},
  };
  for (const std::string& number :
       {max, beyond, "-" + max, std::string("-1"), std::string("1.5"), std::string("1e3"),
        std::string("null"), std::string("\"2\"")}) {
    bad.push_back({one(tensor("F32", "[" + number + "]", "[0,8]")), 8, "\"t\""});
    bad.push_back({one(tensor("F32", "[" + number + "," + number + "]", "[0,8]")), 8, "\"t\""});
    bad.push_back({one(tensor("F32", "[2]", "[" + number + ",8]")), 8, "\"t\""});
    bad.push_back({one(tensor("F32", "[2]", "[0," + number + "]")), 8, "\"t\""});
    bad.push_back({one(tensor("F32", "[2]", "[" + number + "," + number + "]")), 8, "\"t\""});
  }
  return bad;
}

void test_headers(const TemporaryFolder& folder) {
  // In any order, of any dtype, padded: what other writers do.
  const std::string good = "{\"u\":" + tensor("I64", "[1]", "[8,16]") +
                           ",\"n\":" + tensor("BOOL", "[0]", "[8,8]") +
                           ",\"t\":" + tensor("F32", "[2]", "[0,8]") + "}  ";
  const std::string path = folder.write("h", file_bytes(good, 16));
  CHECK_EQ(TensorFile(path).tensors().size(), size_t{3});
  CHECK_THROWS(ErrorKind::format, "is I64 of shape (1)", TensorFile(path).expect_f32("u", {1}));

  for (const BadHeader& bad : bad_headers())
    CHECK_THROWS(ErrorKind::format, bad.part,
                 TensorFile(folder.write("h", file_bytes(bad.header, bad.data))));
  for (const int64_t length :
       {int64_t{0}, int64_t{1}, int64_t{16 << 20}, std::numeric_limits<int64_t>::max()})
    CHECK_THROWS(ErrorKind::format, "\"",
                 TensorFile(folder.write("h", file_bytes(good, 16, length))));
  CHECK_THROWS(ErrorKind::format, "no safetensors file",
               TensorFile(folder.write("h", std::string(100, '\xff'))));
  CHECK_THROWS(ErrorKind::format, "no safetensors file", TensorFile(folder.write("h", "")));
  CHECK_THROWS(ErrorKind::format, "no safetensors file", TensorFile(folder.write("h", "1234567")));
}

void test_values_are_finite(const TemporaryFolder& folder) {
  std::vector<float> values(10, 1.0f), back(10);
  const std::string path = folder.path("finite");
  const auto save = [&] {
    slm::write_tensor_file(path, {}, {slm::tensor_source("w", {10}, values.data())});
  };
  save();
  const std::string before = folder.read("finite");
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    values[7] = bad;
    CHECK_THROWS(ErrorKind::training, "tensor \"w\" holds a value that is not finite", save());
    CHECK(folder.read("finite") == before);
    std::string bytes = before;
    bytes.replace(bytes.size() - 12, 4, reinterpret_cast<const char*>(&bad), 4);
    const TensorFile file(folder.write("bad", bytes));
    CHECK_THROWS(ErrorKind::format,
                 std::isnan(bad) ? "holds NaN at value 7" : "infinity at value 7",
                 file.read_f32(*file.find("w"), back.data()));
  }
  ::unlink(folder.path("bad").c_str());
  CHECK(folder.list().find("-tmp") == std::string::npos);
}

void test_shrinks_while_open(const TemporaryFolder& folder) {
  std::vector<float> values(10, 1.0f);
  const std::string path = folder.path("shrinks");
  slm::write_tensor_file(path, {}, {slm::tensor_source("w", {10}, values.data())});
  const TensorFile file(path);
  CHECK_EQ(::truncate(path.c_str(), file.find("w")->offset + 4), 0);
  CHECK_THROWS(ErrorKind::format, "cut short while", file.read_f32(*file.find("w"), values.data()));
}

void test_paths(const TemporaryFolder& folder) {
  CHECK_THROWS(ErrorKind::io, "there is no such file", TensorFile(folder.path("missing")));
  CHECK_THROWS(ErrorKind::io, "it is a folder", TensorFile(folder.path("")));
  CHECK_THROWS(ErrorKind::io, "not a regular file", TensorFile("/dev/null"));
  CHECK_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);
  CHECK_THROWS(ErrorKind::io, "not a regular file", TensorFile(folder.path("pipe")));
  CHECK_THROWS(ErrorKind::io, "the path is empty", slm::AtomicFile(""));
  CHECK_THROWS(ErrorKind::io, "there is no folder", slm::AtomicFile(folder.path("no/file")));
  CHECK_THROWS(ErrorKind::io, "it is a folder", slm::AtomicFile(folder.path("")));
  CHECK_THROWS(ErrorKind::io, "not a regular file", slm::AtomicFile("/dev/null"));
  try {
    slm::AtomicFile file(folder.path("no/file"));
  } catch (const slm::Error& error) {
    CHECK_EQ(error.os_code(), ENOENT);
  }
}

void test_atomic_file(const TemporaryFolder& folder) {
  folder.write("file", "old");
  folder.write("file.slm-tmp", "what a killed process left, longer than what comes");
  {
    slm::AtomicFile file(folder.path("file"));
    file.write("new", 3);
    CHECK_THROWS(ErrorKind::io, "another save is writing", slm::AtomicFile(folder.path("file")));
    CHECK_EQ(folder.read("file"), "old");
    file.commit();
    CHECK_EQ(folder.read("file"), "new");
  }
  CHECK_EQ(folder.read("file"), "new");
  {
    slm::AtomicFile(folder.path("file")).write("lost", 4);
  }
  CHECK_EQ(folder.read("file"), "new");

  // Through a link, which stays one.
  std::filesystem::create_symlink("file", folder.path("link"));
  slm::AtomicFile file(folder.path("link"));
  file.write("linked", 6);
  file.commit();
  CHECK_EQ(folder.read("file"), "linked");
  CHECK(std::filesystem::is_symlink(folder.path("link")));
  CHECK(folder.list().find("-tmp") == std::string::npos);
}

// A file in the place of the temporary one is neither waited for nor lost, and the error names it.
void test_temporary_name_taken(const TemporaryFolder& folder) {
  const std::string taken = folder.path("taken.slm-tmp");
  const auto refused = [&] {
    CHECK_THROWS(ErrorKind::io, "taken.slm-tmp\", where it is written first, is not a regular file",
                 slm::AtomicFile(folder.path("taken")));
    std::filesystem::remove(taken);
  };
  CHECK_EQ(::mkfifo(taken.c_str(), 0600), 0);
  refused();
  std::filesystem::create_directory(taken);
  refused();
  std::filesystem::create_symlink("file", taken);
  refused();
}

void test_permissions_stay(const TemporaryFolder& folder) {
  using std::filesystem::perms;
  folder.write("private", "old");
  const perms own = perms::owner_read | perms::owner_write;
  std::filesystem::permissions(folder.path("private"), own);
  slm::AtomicFile file(folder.path("private"));
  file.commit();
  CHECK(std::filesystem::status(folder.path("private")).permissions() == own);
}

// The system refuses to write on, as when the disk is full.
void test_no_room(const TemporaryFolder& folder) {
  folder.write("room", "old");
  const std::vector<float> values(100000, 1.0f);
  struct rlimit before, small;
  ::getrlimit(RLIMIT_FSIZE, &before);
  small = before;
  small.rlim_cur = 100000;
  std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  CHECK_THROWS(ErrorKind::io, "cannot write",
               slm::write_tensor_file(folder.path("room"), {},
                                      {slm::tensor_source("w", {100000}, values.data())}));
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK_EQ(folder.read("room"), "old");
  CHECK(folder.list().find("-tmp") == std::string::npos);
}

}  // namespace

int main() {
  const TemporaryFolder folder("test_safetensors");
  test_round_trip(folder);
  test_dtypes(folder);
  test_headers(folder);
  test_values_are_finite(folder);
  test_shrinks_while_open(folder);
  test_paths(folder);
  test_atomic_file(folder);
  test_temporary_name_taken(folder);
  test_permissions_stay(folder);
  test_no_room(folder);
  return test_result();
}
