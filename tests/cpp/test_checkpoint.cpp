// Checkpoints: every array comes back as the same bits, and those of n-gram tables take few of
// them.
#include <algorithm>
#include <functional>

#include "assemble_file.h"
#include "backend.h"
#include "check.h"
#include "io/checkpoint.h"
#include "io/run_state_json.h"
#include "numerics/philox.h"
#include "random.h"
#include "temporary_folder.h"

using slm::Checkpoint;
using slm::ErrorKind;
using slm::Json;
using slm::load_checkpoint;
using slm::TensorFile;

namespace {

Checkpoint make_checkpoint(const std::vector<int64_t>& orders, slm::Sampling sampling) {
  Checkpoint checkpoint;
  checkpoint.config.embed_dim = 3;
  checkpoint.config.state_dim = 2;
  checkpoint.config.ngram_orders = orders;
  checkpoint.config.ngram_buckets = 16;
  checkpoint.train_config.sampling = sampling;
  checkpoint.train_config.batch_size = 2;
  checkpoint.plan = slm::Json::Object{};
  checkpoint.state.step = checkpoint.state.best_step = 1;
  checkpoint.state.evaluations = {{1, 0.5, 2.0, 2.5}};

  const slm::TensorTable table(checkpoint.config);
  const auto parameters = static_cast<size_t>(table.num_parameters());
  const auto moments = static_cast<size_t>(table.num_moments());
  uint32_t item = 0;
  const auto fill = [&](std::vector<float>& values, size_t size) {
    const slm::Philox random(1, slm::PhiloxStream::init, item++);
    values.resize(size);
    for (size_t i = 0; i < size; ++i) values[i] = random.uniform(i) - 0.5f;
  };
  fill(checkpoint.weights, parameters);
  fill(checkpoint.best, parameters);
  fill(checkpoint.m, moments);
  fill(checkpoint.v, moments);
  for (const slm::Tensor& tensor : table.tensors()) {
    if (!tensor.info.sparse) continue;
    float* rows = checkpoint.weights.data() + tensor.offset;
    std::fill_n(rows, tensor.info.size, 0.0f);
    rows[4] = -0.0f;
    rows[tensor.info.size - 1] = 1e-45f;
    std::fill_n(checkpoint.best.data() + tensor.offset, tensor.info.size, 0.0f);
  }
  if (checkpoint.train_config.sampling == slm::Sampling::stream) {
    const auto hidden = static_cast<size_t>(slm::hidden_size(checkpoint.config, 2));
    const auto K = static_cast<size_t>(slm::history_size(checkpoint.config));
    fill(checkpoint.stream, static_cast<size_t>(slm::state_size(checkpoint.config, 2)));
    for (size_t i = hidden; i < checkpoint.stream.size(); ++i)
      checkpoint.stream[i] = (i - hidden) % K == 0 ? 0.0f : 256.0f;
  }
  return checkpoint;
}

void save(const std::string& path, const Checkpoint& checkpoint) {
  save_checkpoint(path, slm::TensorTable(checkpoint.config), checkpoint);
}

void test_round_trip(const TemporaryFolder& folder, const std::vector<int64_t>& orders,
                     slm::Sampling sampling) {
  const Checkpoint checkpoint = make_checkpoint(orders, sampling);
  save(folder.path("a"), checkpoint);
  const Checkpoint back = load_checkpoint(folder.path("a"));
  CHECK(same_bits(back.weights, checkpoint.weights));
  CHECK(same_bits(back.m, checkpoint.m));
  CHECK(same_bits(back.v, checkpoint.v));
  CHECK(same_bits(back.best, checkpoint.best));
  CHECK(same_bits(back.stream, checkpoint.stream));
  CHECK_EQ(back.state.step, 1);
  save(folder.path("b"), back);
  CHECK(folder.read("a") == folder.read("b"));
}

void test_shapes(const TemporaryFolder& folder) {
  save(folder.path("a"), make_checkpoint({2, 4}, slm::Sampling::stream));
  const TensorFile file(folder.path("a"));
  file.expect("ngram.4.weight.rows", {"U32"}, {2});
  file.expect_f32("ngram.4.weight", {2, 3});
  file.expect_f32("best.ngram.4.weight", {0, 3});
  file.expect("best.ngram.4.weight.rows", {"U32"}, {0});
  for (const char* moment : {"optimizer.m.", "optimizer.v."}) {
    file.expect_f32(std::string(moment) + "ngram.2.weight", {65536});
    file.expect_f32(std::string(moment) + "ngram.4.weight", {16});
    file.expect_f32(std::string(moment) + "layers.0.B", {2, 3});
  }
  file.expect_f32("stream.state", {2, 2, 2});
  file.expect_f32("stream.history", {2, 3});

  save(folder.path("a"), make_checkpoint({}, slm::Sampling::stream));
  CHECK(TensorFile(folder.path("a")).find("stream.history") == nullptr);
  save(folder.path("a"), make_checkpoint({2}, slm::Sampling::random));
  CHECK(TensorFile(folder.path("a")).find("stream.state") == nullptr);
}

// A file's metadata and tensors, for a test to change.
std::pair<slm::Metadata, std::vector<slm::TensorSource>> parts_of(const std::string& path) {
  const TensorFile file(path);
  slm::Metadata metadata;
  for (const char* key : {"slm.format", "slm.config", "slm.train_config", "slm.checkpoint"})
    metadata.emplace_back(key, *file.metadata(key));
  std::vector<slm::TensorSource> sources;
  for (const slm::TensorEntry& entry : file.tensors()) {
    std::string bytes(static_cast<size_t>(entry.bytes), '\0');
    file.read(entry, 0, entry.count, bytes.data());
    const auto size = static_cast<size_t>(slm::dtype_size(entry.dtype));
    sources.push_back({entry.name, entry.dtype, entry.shape,
                       [bytes, size](int64_t offset, int64_t count, void* to) {
                         std::copy_n(bytes.data() + static_cast<size_t>(offset) * size,
                                     static_cast<size_t>(count) * size, static_cast<char*>(to));
                       }});
  }
  return {metadata, sources};
}

void test_refused(const TemporaryFolder& folder) {
  save(folder.path("a"), make_checkpoint({3, 4}, slm::Sampling::stream));
  const auto [metadata, good] = parts_of(folder.path("a"));
  folder.write("x", assemble(metadata, good));
  CHECK(same_bits(load_checkpoint(folder.path("x")).weights,
                  load_checkpoint(folder.path("a")).weights));
  const auto refuse = [&, &texts = metadata, &sources_of_good = good](
                          const std::string& part, const std::string& name,
                          const std::function<void(slm::TensorSource&)>& change) {
    auto sources = sources_of_good;
    for (slm::TensorSource& source : sources)
      if (source.name == name) change(source);
    folder.write("x", assemble(texts, sources));
    CHECK_THROWS(ErrorKind::format, part, load_checkpoint(folder.path("x")));
  };
  for (const slm::TensorSource& source : good) {
    const std::string& name = source.name;
    // A table without its rows must be whole.
    refuse('"' + name.substr(0, name.find(".rows")), name,
           [](slm::TensorSource& s) { s.name += 'x'; });
    refuse('"' + name + '"', name, [](slm::TensorSource& s) { s.shape.push_back(1); });
    // Exact or not at all.
    if (source.dtype == "F32" && source.shape[0] > 0)
      refuse("is F16", name, [](slm::TensorSource& s) { s.dtype = "F16"; });
  }
  refuse("row numbers must rise", "ngram.3.weight.rows", [](slm::TensorSource& s) {
    s.read = [](int64_t, int64_t count, void* to) {
      std::fill_n(static_cast<uint32_t*>(to), count, 3);
    };
  });
  // 0 is what is before a text, not within it.
  for (const float bad : {-1.0f, 257.0f, 0.5f, 1e30f, 0.0f})
    refuse("at value 4; it must hold whole numbers from 0 to 256", "stream.history",
           [bad](slm::TensorSource& s) {
             s.read = [bad](int64_t, int64_t count, void* to) {
               for (int64_t i = 0; i < count; ++i) static_cast<float*>(to)[i] = i == 4 ? bad : 65;
             };
           });
}

// Each number of a state has a range, and together they must be of a run.
void test_states(const TemporaryFolder& folder) {
  slm::RunState good;
  good.step = 12;
  good.planned_steps = 20;
  good.planned_at = 3;
  good.eval_every = 5;
  good.best_step = 5;
  good.loss_count = 2;
  good.evaluations = {{5, 1.0, 2.0, 2.5}, {10, 2.0, 1.5, 2.6}};
  const auto read = [](const slm::RunState& state) {
    return slm::run_state_from_json(slm::run_state_to_json(state), "the state");
  };
  CHECK_EQ(read(good).evaluations.size(), 2);
  const auto refuse = [&](const std::string& part, auto change) {
    slm::RunState bad = good;
    change(bad);
    CHECK_THROWS(ErrorKind::format, part, read(bad));
  };
  using S = slm::RunState;
  constexpr int64_t kTooMany = slm::kMaxSteps + 1;
  refuse("\"step\" of the state is 9007199254740993", [](S& s) { s.step = kTooMany; });
  refuse("\"planned_steps\" of the state is", [](S& s) { s.planned_steps = kTooMany; });
  refuse("\"since_best\" of the state is", [](S& s) { s.since_best = INT64_MAX; });
  refuse("\"loss_count\" of the state is -1", [](S& s) { s.loss_count = -1; });
  refuse("\"training_seconds\" of the state is", [](S& s) { s.training_seconds = -1; });
  refuse("\"step\" of an evaluation", [](S& s) { s.evaluations[1].step = kTooMany; });
  refuse("cannot be", [](S& s) { s.step = 13; });  // of which a loss is missing
  refuse("cannot be", [](S& s) { s.loss_count = 0; });
  refuse("cannot be", [](S& s) { s.planned_steps = 11; });
  refuse("cannot be", [](S& s) { s.planned_at = 13; });
  refuse("cannot be", [](S& s) { s.eval_every = 0; });
  refuse("cannot be", [](S& s) { s.best_step = 11; });
  refuse("cannot be", [](S& s) { s.evaluations[0].step = 10; });
  refuse("cannot be", [](S& s) { s.evaluations[1].step = 14; });

  Checkpoint checkpoint = make_checkpoint({}, slm::Sampling::random);
  checkpoint.state.step = kTooMany;
  save(folder.path("a"), checkpoint);
  CHECK_THROWS(ErrorKind::format, "the field \"step\"", load_checkpoint(folder.path("a")));
}

// Earlier files have the planned length as words.
void test_planned_length(const TemporaryFolder& folder) {
  const auto length_of = [&](const Json& length) {
    Checkpoint checkpoint = make_checkpoint({}, slm::Sampling::random);
    checkpoint.plan = Json::Object{{"text", "x"}, {"length", length}, {"eval_every", 2}};
    save(folder.path("length"), checkpoint);
    return slm::load_checkpoint_header(folder.path("length")).plan.dump();
  };
  const auto plan = [](const std::string& length) {
    return R"({"text":"x","length":)" + length + R"(,"eval_every":2})";
  };
  CHECK_EQ(length_of("30 steps"), plan(R"({"steps":30})"));
  CHECK_EQ(length_of("8 seconds"), plan(R"({"seconds":8})"));
  CHECK_EQ(length_of("0.25 seconds"), plan(R"({"seconds":0.25})"));
  CHECK_EQ(length_of(Json::Object{{"steps", 30}}), plan(R"({"steps":30})"));
  CHECK_THROWS(ErrorKind::format, "length", length_of("long"));
  CHECK_THROWS(ErrorKind::format, "length", length_of("x steps"));
}

}  // namespace

int main() {
  const TemporaryFolder folder("test_checkpoint");
  test_planned_length(folder);
  for (const slm::Sampling sampling : {slm::Sampling::random, slm::Sampling::stream}) {
    test_round_trip(folder, {}, sampling);
    test_round_trip(folder, {2, 3, 5}, sampling);
  }
  test_shapes(folder);
  test_refused(folder);
  test_states(folder);
  return test_result();
}
