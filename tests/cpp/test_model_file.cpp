// Model files: bit for bit there and back, and any damage is an Error that says what is wrong.
#include <algorithm>
#include <functional>
#include <limits>

#include "assemble_file.h"
#include "check.h"
#include "io/config_json.h"
#include "io/model_file.h"
#include "numerics/philox.h"
#include "slm/version.h"
#include "temporary_folder.h"

using slm::ErrorKind;
using slm::Json;
using slm::load_model_file;
using slm::Metadata;
using slm::TensorSource;

namespace {

// A small model and what its file is made of, for a test to change before it is written.
struct Example {
  slm::Config config;
  slm::TrainConfig train_config;
  std::vector<float> parameters;

  Example() {
    config.embed_dim = 3;
    config.state_dim = 2;
    const slm::TensorTable table(config);
    const slm::Philox random(1, slm::PhiloxStream::init);
    for (int64_t i = 0; i < table.num_parameters(); ++i)
      parameters.push_back(random.uniform(static_cast<uint64_t>(i)) - 0.5f);
    parameters[0] = -0.0f;
    parameters[1] = std::numeric_limits<float>::denorm_min();
  }

  void save(const std::string& path) const {
    save_model_file(path, config, train_config, slm::TensorTable(config), parameters.data());
  }

  std::vector<TensorSource> sources() const {
    std::vector<TensorSource> sources;
    const slm::TensorTable table(config);
    for (const slm::Tensor& t : table.tensors())
      sources.push_back(
          slm::tensor_source(t.info.name, t.info.shape, parameters.data() + t.offset));
    return sources;
  }
};

void test_round_trip(const TemporaryFolder& folder, const Example& example) {
  example.save(folder.path("a"));
  const slm::ModelFile back = load_model_file(folder.path("a"));
  CHECK_EQ(config_to_json(back.config).dump(), config_to_json(example.config).dump());
  CHECK_EQ(train_config_to_json(back.train_config).dump(),
           train_config_to_json(example.train_config).dump());
  CHECK(back.parameters == example.parameters);
  CHECK(std::signbit(back.parameters[0]));
  slm::Metadata metadata = model_metadata(example.config, example.train_config);
  metadata.emplace_back("somebody.else", "1");
  write_tensor_file(folder.path("b"), metadata, example.sources());
  CHECK(load_model_file(folder.path("b")).parameters == example.parameters);
  example.save(folder.path("b"));
  CHECK(folder.read("a") == folder.read("b"));
  CHECK(folder.read("a") ==
        assemble(model_metadata(example.config, example.train_config), example.sources()));
  CHECK_EQ(folder.list(), "a b ");
}

void test_refused_writing(const TemporaryFolder& folder, Example example) {
  example.save(folder.path("a"));
  const std::string before = folder.read("a");
  example.parameters[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS(ErrorKind::training, "\"embedding.weight\"", example.save(folder.path("a")));
  example.parameters[5] = 0;
  CHECK_THROWS(ErrorKind::io, "there is no folder", example.save(folder.path("no/a")));
  example.train_config.steps = 0;
  CHECK_THROWS(ErrorKind::config, "steps is 0", example.save(folder.path("a")));
  CHECK(folder.read("a") == before);
  CHECK_EQ(folder.list(), "a b ");
}

void test_metadata(const TemporaryFolder& folder, const Example& example) {
  const Metadata good = model_metadata(example.config, example.train_config);
  const std::string path = folder.path("m");
  const auto refuse = [&](const char* part, const std::function<void(Metadata&)>& change) {
    Metadata metadata = good;
    change(metadata);
    folder.write("m", assemble(metadata, example.sources()));
    CHECK_THROWS(ErrorKind::format, part, load_model_file(path));
  };
  refuse("no model of slm", [](Metadata& m) { m.clear(); });
  refuse("has format 2, but slm", [](Metadata& m) { m[0].second = "2"; });
  refuse(slm::kVersion, [](Metadata& m) { m[0].second = "9223372036854775807"; });
  refuse("reads formats up to 1", [](Metadata& m) { m[0].second = "3"; });
  for (const char* bad : {"0", "-1", "1.5", "\"1\"", "null"})
    refuse("must be an integer from 1 up", [&](Metadata& m) { m[0].second = bad; });
  for (const char* bad : {"", "one", "99999999999999999999999999999999"})
    refuse("slm.format", [&](Metadata& m) { m[0].second = bad; });
  for (const size_t i : {size_t{1}, size_t{2}}) {
    const char* key = good[i].first.c_str();
    refuse(key, [&](Metadata& m) { m.erase(m.begin() + static_cast<std::ptrdiff_t>(i)); });
    for (const char* bad : {"", "{", "[]", "{}", "{\"cell\":\"dense\"}"})
      refuse(key, [&](Metadata& m) { m[i].second = bad; });
  }
  refuse("the number of parameters", [](Metadata& m) {
    m[1].second =
        "{\"cell\":\"dense\",\"embed_dim\":65536,\"state_dim\":65536,\"num_layers\":1024,"
        "\"init\":\"seed\"}";
  });
  // A model of billions of parameters, by a file of a few hundred bytes.
  refuse("\"embedding.weight\"", [](Metadata& m) {
    m[1].second =
        "{\"cell\":\"dense\",\"embed_dim\":8192,\"state_dim\":8192,\"num_layers\":16,"
        "\"init\":\"seed\"}";
  });
  for (const char* bad : {"3", "[2,\"3\"]", "[2,3.0]", "[3,2]", "[2,9]", "[1]", "null"})
    refuse("ngram_orders", [bad](Metadata& m) {
      m[1].second.replace(m[1].second.find("\"ngram_orders\":[]") + 15, 2, bad);
    });
  refuse("\"layers.1.C\"", [](Metadata& m) {
    slm::Config config = Example().config;
    config.num_layers = 3;
    m = model_metadata(config, slm::TrainConfig{});
  });
}

void test_tensors(const TemporaryFolder& folder, const Example& example) {
  const Metadata metadata = model_metadata(example.config, example.train_config);
  const std::string path = folder.path("t");
  const auto refuse = [&](const std::string& part,
                          const std::function<void(std::vector<TensorSource>&)>& change) {
    auto sources = example.sources();
    change(sources);
    folder.write("t", assemble(metadata, sources));
    CHECK_THROWS(ErrorKind::format, part, load_model_file(path));
  };
  using Sources = std::vector<TensorSource>;
  for (size_t i = 0; i < example.sources().size(); ++i) {
    const std::string name = '"' + example.sources()[i].name + '"';
    refuse("tensor " + name + " is missing",
           [&](Sources& s) { s.erase(s.begin() + static_cast<std::ptrdiff_t>(i)); });
    refuse("tensor " + name + " in", [&](Sources& s) { s[i].shape[0] -= 1; });
    refuse("tensor " + name + " in", [&](Sources& s) { s[i].shape.push_back(1); });
  }
  const float value = 1;
  refuse("tensor \"extra\"",
         [&](Sources& s) { s.push_back(slm::tensor_source("extra", {1}, &value)); });
  refuse("is a checkpoint", [&](Sources& s) {
    s.push_back(slm::tensor_source("optimizer.m.layers.0.A", {1}, &value));
  });
  Sources reversed = example.sources();  // names count, not places
  std::reverse(reversed.begin(), reversed.end());
  folder.write("t", assemble(metadata, reversed));
  CHECK(load_model_file(path).parameters == example.parameters);
}

// 0: loaded, 1: slm::Error(format). Anything else that is thrown ends the test.
int outcome(const std::string& path) {
  try {
    load_model_file(path);
    return 0;
  } catch (const slm::Error& error) {
    CHECK(error.kind() == ErrorKind::format);
    return 1;
  }
}

void test_damage(const TemporaryFolder& folder, const Example& example) {
  example.save(folder.path("a"));
  const std::string good = folder.read("a");
  const size_t header = static_cast<unsigned char>(good[0]) +
                        256 * static_cast<size_t>(static_cast<unsigned char>(good[1])) + 8;

  int refused = 0;
  for (size_t i = 0; i < 200; ++i)
    refused += outcome(folder.write("x", good.substr(0, good.size() * i / 200)));
  for (size_t size = 0; size < header + 16; ++size)
    refused += outcome(folder.write("x", good.substr(0, size)));
  CHECK_EQ(refused, 200 + static_cast<int>(header) + 16);
  CHECK_EQ(outcome(folder.write("x", good + '0')), 1);

  // Every bit of the header, alone: loaded as some other valid model, or refused.
  int loaded = 0;
  for (size_t i = 0; i < header; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = good;
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      loaded += outcome(folder.write("x", bytes)) == 0;
    }
  }
  // Some changes leave a model: other digits in the training config, other white space as padding.
  CHECK(loaded < static_cast<int>(header));
  // NaN in any place is refused.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t at = header; at < good.size(); at += 1000 * sizeof nan) {
    std::string bytes = good;
    bytes.replace(at, sizeof nan, reinterpret_cast<const char*>(&nan), sizeof nan);
    CHECK_THROWS(ErrorKind::format, "holds NaN", load_model_file(folder.write("x", bytes)));
  }
}

}  // namespace

int main() {
  const TemporaryFolder folder("test_model_file");
  const Example example;
  test_round_trip(folder, example);
  test_refused_writing(folder, example);
  test_metadata(folder, example);
  test_tensors(folder, example);
  test_damage(folder, example);
  return test_result();
}
