// Presets, the limits of every field, and configs as they stand in files.
#include <functional>
#include <limits>
#include <set>

#include "check.h"
#include "config_fields.h"
#include "io/config_json.h"
#include "tensors.h"

using slm::Config;
using slm::ErrorKind;
using slm::Json;
using slm::TrainConfig;

namespace {

void test_presets() {
  for (const std::string& name : slm::preset_names()) {
    validate(slm::preset(name).config);
    validate(slm::preset(name).train_config);
  }
  const slm::Preset seed = slm::preset("seed");
  CHECK_EQ(slm::TensorTable(seed.config).num_parameters(), 4653056);
  CHECK_EQ(seed.train_config.learning_rate, 1e-4f);
  CHECK_EQ(seed.train_config.clip_norm, 0.0f);
  CHECK(seed.train_config.schedule == slm::Schedule::constant);
  CHECK_EQ(slm::preset(slm::kDefaultPreset).config.embed_dim, 128);
  CHECK_THROWS(ErrorKind::config, "preset is \"nano2\"", slm::preset("nano2"));
}

void test_buckets_by_the_text() {
  const auto buckets = [](int64_t text_bytes) {
    return slm::preset("small", text_bytes).config.ngram_buckets;
  };
  CHECK_EQ(buckets(0), 16384);
  CHECK_EQ(buckets(int64_t{1} << 40), 16384);
  CHECK_EQ(buckets(8193), 16384);
  CHECK_EQ(buckets(8192), 8192);
  CHECK_EQ(buckets(1000), 1024);
  CHECK_EQ(buckets(1), 256);
  CHECK_EQ(slm::preset("base", 10000).config.ngram_buckets, 16384);
  CHECK_THROWS(ErrorKind::config, "text_bytes is -1", slm::preset("small", -1));
}

void test_choices() {
  CHECK(slm::choice_of<slm::Cell>("cell", "gated") == slm::Cell::gated);
  CHECK_EQ(slm::choice_name(slm::Norm::rms), "rms");
  CHECK_EQ(slm::choice_name(slm::Sampling::stream), "stream");
  CHECK_THROWS(ErrorKind::config, "schedule is \"linear\", but must be \"cosine\" or \"constant\"",
               slm::choice_of<slm::Schedule>("schedule", "linear"));
  CHECK_THROWS(ErrorKind::config, "init is \"\"", slm::choice_of<slm::Init>("init", ""));
}

void refuse_model(const std::string& sentence, const std::function<void(Config&)>& change) {
  Config config;
  change(config);
  CHECK_THROWS(ErrorKind::config, sentence, validate(config));
}

void refuse_training(const std::string& sentence, const std::function<void(TrainConfig&)>& change) {
  TrainConfig config;
  change(config);
  CHECK_THROWS(ErrorKind::config, sentence, validate(config));
}

void test_limits() {
  for (const int64_t bad :
       {int64_t{0}, int64_t{-1}, int64_t{65537}, std::numeric_limits<int64_t>::min(),
        std::numeric_limits<int64_t>::max()}) {
    const std::string is = " is " + std::to_string(bad) + ", but must be from 1 to 65536";
    refuse_model("embed_dim" + is, [&](Config& c) { c.embed_dim = bad; });
    refuse_model("state_dim" + is, [&](Config& c) { c.state_dim = bad; });
    refuse_training("batch_size" + is, [&](TrainConfig& c) { c.batch_size = bad; });
  }
  for (const int64_t bad : {0, -1, 1025})
    refuse_model("num_layers is " + std::to_string(bad), [&](Config& c) { c.num_layers = bad; });
  const auto lengths = [&](std::vector<int64_t> wanted, const std::string& sentence) {
    refuse_model(sentence, [&](Config& c) { c.match_lengths = std::move(wanted); });
  };
  lengths({1}, "an entry of match_lengths is 1");
  lengths({2, 33}, "an entry of match_lengths is 33");
  lengths({4, 4}, "an entry of match_lengths is 4");
  lengths({2, 3, 4, 5, 6, 7, 8, 9, 10}, "ngram_orders and match_lengths together is 9");
  for (const int64_t bad : {0, -1, 1048577})
    refuse_model("match_span is " + std::to_string(bad), [&](Config& c) { c.match_span = bad; });
  for (const float bad : {-0.1f, 0.6f, std::numeric_limits<float>::quiet_NaN()})
    refuse_model("fixed_share is ", [&](Config& c) { c.fixed_share = bad; });
  refuse_model("to: set head_bias to false (head_bias=False, --no-head-bias)",
               [](Config& c) { c.head_bias = true; });
  refuse_model("the number of parameters", [](Config& c) {
    c.embed_dim = c.state_dim = 65536;
    c.num_layers = 1024;
  });

  for (const int64_t bad : {0, -5}) {
    refuse_training("steps is", [&](TrainConfig& c) { c.steps = bad; });
    refuse_training("seq_len is", [&](TrainConfig& c) { c.seq_len = bad; });
  }
  refuse_training("seq_len is 16777217", [](TrainConfig& c) { c.seq_len = 16777217; });
  refuse_training("seq_len times batch_size is 1099511627776", [](TrainConfig& c) {
    c.seq_len = 1 << 24;
    c.batch_size = 65536;
  });
  refuse_training("warmup_steps is -1", [](TrainConfig& c) { c.warmup_steps = -1; });
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -1.0f}) {
    refuse_training("learning_rate is", [&](TrainConfig& c) { c.learning_rate = bad; });
    refuse_training("beta1 is", [&](TrainConfig& c) { c.beta1 = bad; });
    refuse_training("beta2 is", [&](TrainConfig& c) { c.beta2 = bad; });
    refuse_training("epsilon is", [&](TrainConfig& c) { c.epsilon = bad; });
    refuse_training("weight_decay is", [&](TrainConfig& c) { c.weight_decay = bad; });
    refuse_training("clip_norm is", [&](TrainConfig& c) { c.clip_norm = bad; });
  }
  refuse_training("learning_rate is 0", [](TrainConfig& c) { c.learning_rate = 0; });
  refuse_training("epsilon is 0", [](TrainConfig& c) { c.epsilon = 0; });
  refuse_training("cold_fraction is 1.1", [](TrainConfig& c) { c.cold_fraction = 1.1f; });
  refuse_training("cold_fraction is -0.1", [](TrainConfig& c) { c.cold_fraction = -0.1f; });
  refuse_training("beta2 is 1", [](TrainConfig& c) { c.beta2 = 1; });

  TrainConfig stream;
  stream.sampling = slm::Sampling::stream;
  stream.clip_norm = stream.weight_decay = stream.beta1 = 0;
  validate(stream);
}

void test_json() {
  Config config;
  config.embed_dim = 96;
  config.init = slm::Init::seed;
  const std::string text = config_to_json(config).dump();
  CHECK_EQ(text,
           "{\"cell\":\"dense\",\"embed_dim\":96,\"state_dim\":128,\"num_layers\":2,"
           "\"init\":\"seed\",\"residual\":false,\"norm\":\"none\",\"mlp_dim\":0,"
           "\"tie_embeddings\":false,\"head_bias\":false,\"ngram_orders\":[],"
           "\"ngram_buckets\":16384,\"ngram_dim\":0,\"match_lengths\":[],\"match_span\":4096,"
           "\"documents\":false,\"fixed_share\":0.0}");
  CHECK_EQ(config_to_json(slm::config_from_json(Json::parse(text, "x"), "x")).dump(), text);

  for (const uint64_t seed : {uint64_t{0}, uint64_t{1} << 62, (uint64_t{1} << 63) - 1,
                              uint64_t{1} << 63, std::numeric_limits<uint64_t>::max()}) {
    TrainConfig train_config;
    train_config.seed = seed;
    train_config.learning_rate = 0.0012345679f;
    const Json json = Json::parse(train_config_to_json(train_config).dump(), "x");
    const TrainConfig back = slm::train_config_from_json(json, "x");
    CHECK_EQ(back.seed, seed);
    CHECK_EQ(back.learning_rate, train_config.learning_rate);
    CHECK_EQ(back.beta2, train_config.beta2);
    CHECK_EQ(train_config_to_json(back).dump(), json.dump());
  }
}

// Replaces one field's value, or takes the field away where `value` is null.
Json changed(const Json& json, const std::string& name, const Json* value) {
  Json::Object members;
  for (const auto& member : *json.get_if<Json::Object>()) {
    if (member.first != name)
      members.push_back(member);
    else if (value != nullptr)
      members.emplace_back(name, *value);
  }
  return members;
}

// Fields that the first files did not have.
template <typename C>
std::set<std::string> added_fields() {
  std::set<std::string> names;
  C config;
  slm::for_each_field(config, [&](const char* name, const auto&, slm::Presence age) {
    if (age == slm::Presence::optional) names.insert(name);
  });
  return names;
}

// Whether a field allows a value that most fields do not.
bool is_allowed(const std::string& name, const std::string& text) {
  if (name == "ngram_orders" || name == "match_lengths") return text == "[]";
  const bool may_be_auto = name == "dropout" || name == "locked_dropout" || name == "input_noise";
  return may_be_auto && text == "-1";
}

template <typename C, typename Read>
void test_every_field(const Json& good, Read read) {
  const std::set<std::string> added = added_fields<C>();
  for (const auto& member : *good.get_if<Json::Object>()) {
    const std::string& name = member.first;
    const bool is_bool = member.second.get_if<bool>() != nullptr;
    if (added.count(name) > 0)
      read(changed(good, name, nullptr));
    else
      CHECK_THROWS(ErrorKind::format, "the field \"" + name + "\" of the file is missing",
                   read(changed(good, name, nullptr)));
    for (const char* text :
         {"null", "true", "\"?\"", "[]", "{}", "-1", "-9223372036854775808", "-1e300", "1e300"}) {
      const Json bad = Json::parse(text, "x");
      if ((is_bool && bad.get_if<bool>()) || is_allowed(name, text)) continue;
      CHECK_THROWS(ErrorKind::format, name, read(changed(good, name, &bad)));
    }
  }
  Json more = good;
  more.set("more", 1);
  CHECK_THROWS(ErrorKind::format, "the field \"more\" of the file is unknown", read(more));
  CHECK_THROWS(ErrorKind::format, "the file must be an object, not a string", read(Json("x")));
}

}  // namespace

int main() {
  test_presets();
  test_buckets_by_the_text();
  test_choices();
  test_limits();
  test_json();
  test_every_field<Config>(config_to_json(Config{}),
                           [](const Json& json) { slm::config_from_json(json, "the file"); });
  test_every_field<TrainConfig>(train_config_to_json(TrainConfig{}), [](const Json& json) {
    slm::train_config_from_json(json, "the file");
  });
  return test_result();
}
