// Parameters in files: sparse tables, rounded exports, and every way in which such a file can lie.
#include <algorithm>
#include <functional>
#include <limits>

#include "assemble_file.h"
#include "check.h"
#include "io/half.h"
#include "io/stored_tensor.h"
#include "numerics/philox.h"
#include "random.h"
#include "temporary_folder.h"

using slm::ErrorKind;
using slm::load_model_file;
using slm::TensorSource;
using Sources = std::vector<TensorSource>;

namespace {

constexpr int64_t kWidth = 3;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// A model with every kind of tensor: matrices, vectors, a table with some rows and one with none.
struct Example {
  slm::Config config = make_config();
  slm::TensorTable table{config};
  std::vector<float> parameters;

  Example() {
    const slm::Philox random(1, slm::PhiloxStream::init);
    for (int64_t i = 0; i < table.num_dense(); ++i)
      parameters.push_back(random.uniform(static_cast<uint64_t>(i)) - 0.5f);
    parameters.resize(static_cast<size_t>(table.num_parameters()));
    for (const int64_t row : {0, 5, 7})
      std::fill_n(values("ngram.3.weight") + row * kWidth, kWidth, static_cast<float>(row) + 0.25f);
    values("ngram.3.weight")[2 * kWidth + 1] = -0.0f;  // by its bits, row 2 is not zero
    std::fill_n(values("embedding.weight"), kWidth, 0.0f);
  }

  static slm::Config make_config() {
    slm::Config config;
    config.cell = slm::Cell::gated;
    config.embed_dim = kWidth;
    config.state_dim = 2;
    config.num_layers = 1;
    config.norm = slm::Norm::rms;
    config.ngram_orders = {3, 4};
    config.ngram_buckets = 8;
    return config;
  }

  float* values(const char* name) { return parameters.data() + table.at(name).offset; }

  void save(const std::string& path, const std::string& dtype) const {
    save_model_file(path, config, {}, table, parameters.data(), dtype);
  }
  Sources sources(slm::Storage storage) const {
    Sources sources;
    for (const slm::Tensor& tensor : table.tensors())
      add_sources(tensor, parameters.data() + tensor.offset, storage, sources);
    return sources;
  }
  std::string assembled(const Sources& sources) const {
    return assemble(slm::model_metadata(config, {}), sources);
  }
};

TensorSource& named(Sources& sources, const std::string& name) {
  return *std::find_if(sources.begin(), sources.end(),
                       [&](const TensorSource& source) { return source.name == name; });
}

template <typename T>
void set_values(TensorSource& source, const std::vector<T>& values) {
  source.read = [values](int64_t offset, int64_t count, void* to) {
    std::copy_n(values.begin() + offset, count, static_cast<T*>(to));
  };
}

void test_sparse(const TemporaryFolder& folder, const Example& example) {
  save_model_file(folder.path("a"), example.config, {}, example.table, example.parameters.data());
  const slm::TensorFile file(folder.path("a"));
  std::vector<uint32_t> rows(4);
  file.read(file.expect("ngram.3.weight.rows", {"U32"}, {4}), 0, 4, rows.data());
  CHECK((rows == std::vector<uint32_t>{0, 2, 5, 7}));
  file.expect_f32("ngram.3.weight", {4, kWidth});
  file.expect("ngram.4.weight.rows", {"U32"}, {0});
  file.expect_f32("ngram.4.weight", {0, kWidth});
  file.expect_f32("layers.0.in.bias", {6});
  file.expect_f32("embedding.weight", {256, kWidth});  // whole, zero rows or not
  CHECK(same_bits(load_model_file(folder.path("a")).parameters, example.parameters));
  example.save(folder.path("b"), "float32");
  CHECK(folder.read("a") == folder.read("b"));
}

// Other writers need not leave rows out, nor bits.
void test_whole_tables(const TemporaryFolder& folder, const Example& example) {
  Sources sources;
  for (const slm::Tensor& tensor : example.table.tensors())
    sources.push_back(slm::tensor_source(tensor.info.name, tensor.info.shape,
                                         example.parameters.data() + tensor.offset));
  folder.write("a", example.assembled(sources));
  CHECK(same_bits(load_model_file(folder.path("a")).parameters, example.parameters));
}

// More values than are read or written at once, with rows across the ends of the pieces.
void test_large_table(const TemporaryFolder& folder) {
  slm::Config config = Example::make_config();
  config.ngram_orders = {2};
  config.ngram_dim = 7;
  const slm::TensorTable table(config);
  std::vector<float> parameters(static_cast<size_t>(table.num_parameters()));
  const slm::Tensor& tensor = table.at("ngram.2.weight");
  for (int64_t i = 0; i < tensor.info.size; ++i)
    if (i / 7 % 3 != 0) parameters[static_cast<size_t>(tensor.offset + i)] = static_cast<float>(i);
  save_model_file(folder.path("large"), config, {}, table, parameters.data());
  CHECK(same_bits(load_model_file(folder.path("large")).parameters, parameters));
  CHECK(slm::TensorFile(folder.path("large")).at("ngram.2.weight").count > slm::kTensorPiece);
}

void test_float16(const TemporaryFolder& folder, const Example& example) {
  example.save(folder.path("half"), "float16");
  const slm::TensorFile file(folder.path("half"));
  for (const slm::Tensor& tensor : example.table.tensors())
    CHECK_EQ(file.at(tensor.info.name).dtype, "F16");
  std::vector<float> expected;
  for (const float value : example.parameters)
    expected.push_back(slm::from_half(slm::to_half(value)));
  CHECK(same_bits(load_model_file(folder.path("half")).parameters, expected));
}

void test_int8(const TemporaryFolder& folder, const Example& example) {
  example.save(folder.path("int8"), "int8");
  const slm::TensorFile file(folder.path("int8"));
  const std::vector<float> back = load_model_file(folder.path("int8")).parameters;
  for (const slm::Tensor& tensor : example.table.tensors()) {
    const float* from = example.parameters.data() + tensor.offset;
    const float* to = back.data() + tensor.offset;
    const bool is_matrix = tensor.info.shape.size() > 1;
    CHECK_EQ(file.at(tensor.info.name).dtype, is_matrix ? "I8" : "F32");
    if (!is_matrix) {
      CHECK(std::equal(from, from + tensor.info.size, to));
      continue;
    }
    const int64_t stored = file.at(tensor.info.name).shape[0];
    file.expect_f32(tensor.info.name + ".scale", {stored});
    for (int64_t i = 0; i < tensor.info.size; ++i) {
      const float* row = from + i / tensor.cols() * tensor.cols();
      float largest = 0;
      for (int64_t j = 0; j < tensor.cols(); ++j) largest = std::max(largest, std::abs(row[j]));
      CHECK_NEAR(to[i], from[i], largest / 127 / 2 * 1.00001);
      if (std::abs(from[i]) == largest) CHECK_NEAR(to[i], from[i], largest * 1e-6);
    }
  }
}

// Rows of extreme values are written so that they can be read.
void test_int8_extremes(const TemporaryFolder& folder, Example example) {
  float* table = example.values("ngram.3.weight");
  const float tiny = std::numeric_limits<float>::denorm_min();
  table[0] = 3e38f, table[1] = -3e38f, table[2] = 1;
  table[3] = tiny, table[4] = 100 * tiny, table[5] = -190 * tiny;
  example.save(folder.path("int8"), "int8");
  const auto back = load_model_file(folder.path("int8")).parameters;
  const float* row = back.data() + example.table.at("ngram.3.weight").offset;
  CHECK_NEAR(row[0], 3e38f, 1e32);
  CHECK_EQ(row[1], -row[0]);
  CHECK_EQ(row[2], 0.0f);
  CHECK_NEAR(row[5], -190 * tiny, 64 * tiny);
}

void test_refused_writing(const TemporaryFolder& folder, const Example& good) {
  const auto refuse = [&](ErrorKind kind, const char* part, const char* dtype, const char* tensor,
                          float value) {
    Example example = good;
    example.values(tensor)[1] = value;
    CHECK_THROWS(kind, part, example.save(folder.path("refused"), dtype));
  };
  const float infinity = std::numeric_limits<float>::infinity();
  for (const char* dtype : {"float32", "float16", "int8"})
    for (const float value : {kNaN, infinity, -infinity})
      for (const char* tensor : {"layers.0.in.bias", "ngram.3.weight"})
        refuse(ErrorKind::training, tensor, dtype, tensor, value);
  refuse(ErrorKind::config, "holds 65505.0, but float16 stores at most 65504.0", "float16",
         "layers.0.in.bias", 65505.0f);
  refuse(ErrorKind::config, "\"ngram.3.weight\" holds -70000.0", "float16", "ngram.3.weight",
         -70000.0f);
  refuse(ErrorKind::config, "but int8 stores at most", "int8", "head.weight", 3.1e38f);
  for (const char* dtype : {"", "F16", "float64"})
    CHECK_THROWS(ErrorKind::config, "dtype is ", good.save(folder.path("refused"), dtype));
  CHECK(folder.list().find("refused") == std::string::npos);
}

class Refusals {
 public:
  Refusals(const TemporaryFolder& folder, const Example& example)
      : folder_(folder), example_(example) {}

  void operator()(slm::Storage storage, const std::string& part,
                  const std::function<void(Sources&)>& change) const {
    Sources sources = example_.sources(storage);
    change(sources);
    folder_.write("x", example_.assembled(sources));
    CHECK_THROWS(ErrorKind::format, part, load_model_file(folder_.path("x")));
  }

 private:
  const TemporaryFolder& folder_;
  const Example& example_;
};

void erase(Sources& sources, const std::string& name) {
  sources.erase(sources.begin() + (&named(sources, name) - sources.data()));
}

void test_refused_rows(const Refusals& refuse) {
  const std::string rows = "ngram.3.weight.rows";
  for (const slm::Storage storage :
       {slm::Storage::float32, slm::Storage::float16, slm::Storage::int8}) {
    const auto wrong = [&](const std::string& part, std::vector<uint32_t> values) {
      refuse(storage, '"' + rows + '"' + " in",
             [&](Sources& s) { set_values(named(s, rows), values); });
      refuse(storage, part, [&](Sources& s) { set_values(named(s, rows), values); });
    };
    wrong("holds 8 at value 3, but rows are numbered from 0 to 7", {0, 2, 5, 8});
    wrong("holds 4294967295 at value 0", {0xFFFFFFFF, 2, 5, 7});
    wrong("holds 2 at value 2, after 5; row numbers must rise", {0, 5, 2, 7});
    wrong("holds 5 at value 2, after 5", {0, 5, 5, 7});
    refuse(storage, "is F32 of shape (4), but must be U32 of shape (4)",
           [&](Sources& s) { named(s, rows).dtype = "F32"; });
    refuse(storage, "is U32 of shape (4, 1), but must be U32 of shape (4)",
           [&](Sources& s) { named(s, rows).shape = {4, 1}; });
    refuse(storage, "\"ngram.3.weight\"", [&](Sources& s) { named(s, rows).shape = {3}; });
    refuse(storage, "of shape (8, 3)", [&](Sources& s) { erase(s, rows); });
    refuse(storage, "of shape (4, 3)",
           [&](Sources& s) { named(s, "ngram.3.weight").shape[0] = 3; });
    refuse(storage, "of shape (4, 3)",
           [&](Sources& s) { named(s, "ngram.3.weight").shape = {3, 4}; });
    refuse(storage, "\"ngram.4.weight\"",
           [&](Sources& s) { named(s, "ngram.4.weight").shape = {0, 2}; });
    refuse(storage, "\"head.weight.rows\" in", [&](Sources& s) {
      TensorSource extra = named(s, rows);
      extra.name = "head.weight.rows";
      s.push_back(extra);
    });
  }
}

void test_refused_scales(const Refusals& refuse, const Example& example) {
  const auto wrong = [&](const std::string& part, const std::function<void(Sources&)>& change) {
    refuse(slm::Storage::int8, part, change);
  };
  for (const std::string name : {"head.weight", "ngram.3.weight", "ngram.4.weight"}) {
    const std::string scale = name + ".scale";
    const int64_t count = name == "head.weight" ? 256 : name == "ngram.3.weight" ? 4 : 0;
    wrong("\"" + scale + "\" is missing", [&](Sources& s) { erase(s, scale); });
    wrong("\"" + scale + "\" in", [&](Sources& s) { named(s, scale).shape = {count, 1}; });
    wrong("\"" + scale + "\" in", [&](Sources& s) { named(s, scale).dtype = "U32"; });
    if (count == 0) continue;
    wrong("\"" + scale + "\" in", [&](Sources& s) { named(s, scale).shape = {count - 1}; });
    const auto last = [&](float value) {
      std::vector<float> scales(static_cast<size_t>(count), 1.0f);
      scales.back() = value;
      return [&, scales](Sources& s) { set_values(named(s, scale), scales); };
    };
    wrong("\"" + scale + "\"", last(kNaN));
    wrong("holds NaN at value " + std::to_string(count - 1), last(kNaN));
    wrong("holds an infinity", last(std::numeric_limits<float>::infinity()));
    wrong("holds a scale below 0 at value " + std::to_string(count - 1), last(-1e-30f));
    wrong("\"" + name + "\" in", last(3.4e38f));  // times 127
  }
  // A scale where there is nothing to scale; bytes where there are no rows.
  refuse(slm::Storage::float16, "\"head.weight.scale\"", [&](Sources& s) {
    s.push_back(slm::tensor_source("head.weight.scale", {256}, example.parameters.data()));
  });
  wrong("is I8 of shape (6), but must be F32 or F16 of shape (6)",
        [&](Sources& s) { named(s, "layers.0.in.bias").dtype = "I8"; });
}

void test_refused_values(const Refusals& refuse) {
  for (const uint16_t bad : {0x7C00, 0xFC00, 0x7C01, 0xFE00}) {
    std::vector<uint16_t> halves(4 * kWidth);
    halves[7] = bad;
    refuse(slm::Storage::float16,
           (bad & 0x3FF) != 0 ? "holds NaN at value 7" : "holds an infinity at value 7",
           [&](Sources& s) { set_values(named(s, "ngram.3.weight"), halves); });
  }
  std::vector<float> floats(4 * kWidth);
  floats[11] = kNaN;
  refuse(slm::Storage::float32, "holds NaN at value 11",
         [&](Sources& s) { set_values(named(s, "ngram.3.weight"), floats); });
  for (const char* dtype : {"BF16", "U16"})
    refuse(slm::Storage::float16,
           std::string("is ") + dtype + " of shape (256, 3), but must be F32, F16 or I8",
           [&](Sources& s) { named(s, "head.weight").dtype = dtype; });
}

void test_cut_short(const TemporaryFolder& folder, const Example& example) {
  for (const char* dtype : {"float32", "float16", "int8"}) {
    example.save(folder.path("whole"), dtype);
    const std::string bytes = folder.read("whole");
    for (size_t i = 0; i < 200; ++i)
      CHECK_THROWS(ErrorKind::format, "x\"",
                   load_model_file(folder.write("x", bytes.substr(0, bytes.size() * i / 200))));
  }
}

}  // namespace

int main() {
  const TemporaryFolder folder("test_stored_tensor");
  const Example example;
  test_sparse(folder, example);
  test_whole_tables(folder, example);
  test_large_table(folder);
  test_float16(folder, example);
  test_int8(folder, example);
  test_int8_extremes(folder, example);
  test_refused_writing(folder, example);
  const Refusals refuse(folder, example);
  test_refused_rows(refuse);
  test_refused_scales(refuse, example);
  test_refused_values(refuse);
  test_cut_short(folder, example);
  return test_result();
}
