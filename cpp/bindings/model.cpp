#include "fields.h"
#include "window.h"

namespace slm::python {
namespace {

using namespace py::literals;

ModelOptions model_options(py::handle seed, py::handle device, py::handle threads,
                           py::handle precision) {
  ModelOptions options;
  read_field("seed", seed, options.seed);
  read_field("device", device, options.device);
  if (!threads.is_none()) read_field("threads", threads, options.threads);
  read_field("precision", precision, options.precision);
  return options;
}

Model make_model(const py::dict& config, const py::dict& train_config, py::handle seed,
                 py::handle device, py::handle threads, py::handle precision) {
  const Preset preset{from_dict<Config>(config), from_dict<TrainConfig>(train_config)};
  const ModelOptions options = model_options(seed, device, threads, precision);
  return run_long([&] { return Model(preset, options); });
}

py::dict parameters(const Model& model) {
  FloatArray flat(model.num_parameters());
  float* out = flat.mutable_data();
  run_long([&] { model.parameters(out); });
  return tensor_dict(model, flat, false);
}

// Shape and kind of each tensor by name, in the order of the tensor table.
py::dict tensors(const Model& model) {
  py::dict tensors;
  for (const TensorInfo& info : model.tensors())
    tensors[py::str(info.name)] =
        py::dict("shape"_a = py::tuple(py::cast(info.shape)), "sparse"_a = info.sparse);
  return tensors;
}

py::dict memory(const Model& model) {
  const MemoryPlan plan = model.memory();
  return py::dict("weights"_a = plan.weights, "optimizer"_a = plan.optimizer,
                  "window"_a = plan.window, "state"_a = plan.state);
}

FloatArray logits(const Model& model, py::handle inputs, py::handle state_in) {
  const Window w(inputs);
  State* state = state_of(state_in);
  FloatArray out({w.seq_len(), w.batch_size(), kVocabSize});
  float* to = out.mutable_data();
  run_long([&] { model.logits(w.inputs.data(), w.seq_len(), w.batch_size(), state, to); });
  return out;
}

float loss(const Model& model, py::handle inputs, py::handle targets, py::handle state_in) {
  const Window w(inputs, targets);
  State* state = state_of(state_in);
  return run_long([&] {
    return model.loss(w.inputs.data(), w.targets.data(), w.seq_len(), w.batch_size(), state);
  });
}

py::tuple gradients(const Model& model, py::handle inputs, py::handle targets,
                    py::handle state_in) {
  const Window w(inputs, targets);
  State* state = state_of(state_in);
  FloatArray flat(model.num_parameters());
  float* to = flat.mutable_data();
  const float value = run_long([&] {
    return model.gradients(w.inputs.data(), w.targets.data(), w.seq_len(), w.batch_size(), state,
                           to);
  });
  return py::make_tuple(value, tensor_dict(model, flat, true));
}

FloatArray step(const Model& model, py::handle tokens, py::handle state_in) {
  const ByteArray bytes = byte_array(tokens, "tokens", "(B,)", 1);
  if (state_in.is_none()) throw py::type_error("state must be a State, got None");
  State& state = *state_of(state_in);
  if (bytes.size() != state.batch_size()) {
    throw Error(ErrorKind::config, "tokens must have one byte for each of the state's " +
                                       std::to_string(state.batch_size()) + " texts, got " +
                                       std::to_string(bytes.size()));
  }
  FloatArray out({static_cast<int64_t>(bytes.size()), kVocabSize});
  float* to = out.mutable_data();
  run_long([&] { model.step(bytes.data(), state, to); });
  return out;
}

py::dict score_dict(const Score& s, const FloatArray& log_probs) {
  return py::dict("nats_per_byte"_a = s.nats_per_byte, "bits_per_byte"_a = s.bits_per_byte,
                  "perplexity"_a = s.perplexity, "num_bytes"_a = s.num_bytes,
                  "log_probs"_a = log_probs);
}

py::dict score(Model& model, py::handle text, bool want_log_probs, bool adapt, bool keep) {
  const ByteArray bytes = byte_array(text, "text", "(num_bytes,)", 1);
  FloatArray log_probs(want_log_probs ? bytes.size() : 0);
  float* to = want_log_probs ? log_probs.mutable_data() : nullptr;
  const auto size = static_cast<size_t>(bytes.size());
  const Score s = run_long([&] {
    if (!adapt) return model.score(bytes.data(), size, to);
    return keep ? model.adapt(bytes.data(), size, to)
                : model.score_adapting(bytes.data(), size, to);
  });
  return score_dict(s, log_probs);
}

// In a loop over the items of a list, which may be long.
void check_signals(size_t item) {
  if (item % 4096 == 0 && PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// The log-probabilities of the texts are parts of one array.
py::list score_many(const Model& model, const py::list& texts, bool want_log_probs) {
  std::vector<ByteArray> arrays;
  std::vector<std::string_view> views;
  int64_t num_bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    check_signals(i);
    const std::string what = "texts[" + std::to_string(i) + "]";
    arrays.push_back(byte_array(texts[i], what.c_str(), "(num_bytes,)", 1));
    views.push_back(view(arrays.back()));
    num_bytes += arrays.back().size();
  }
  FloatArray all(want_log_probs ? num_bytes : 0);
  float* to = want_log_probs ? all.mutable_data() : nullptr;
  const std::vector<Score> scores = run_long([&] { return model.score_many(views, to); });
  py::list result;
  for (size_t i = 0; i < scores.size(); ++i) {
    check_signals(i);
    const int64_t size = want_log_probs ? scores[i].num_bytes : 0;
    result.append(score_dict(scores[i], FloatArray(size, to, all)));
    to += size;
  }
  return result;
}

py::array_t<double> next_byte_probs(const Model& model, const std::string& prefix) {
  const std::vector<double> probs = run_long([&] { return model.next_byte_probs(prefix); });
  return py::array_t<double>(static_cast<py::ssize_t>(probs.size()), probs.data());
}

}  // namespace

void register_model(py::module_& m) {
  py::class_<State>(m, "State",
                    "The hidden state of batch_size independent texts, made by Model.new_state.")
      .def_property_readonly("batch_size", &State::batch_size)
      .def(
          "copy", [](const State& state) { return State(state); },
          "An independent copy: advancing one leaves the other where it is.");

  py::class_<Model>(m, "Model")
      .def(py::init(&make_model), py::arg("config"), py::arg("train_config"), py::arg("seed"),
           py::arg("device"), py::arg("threads"), py::arg("precision"))
      .def_static(
          "load",
          [](const std::string& path, py::handle device, py::handle threads, py::handle precision) {
            const ModelOptions options = model_options(py::int_(0), device, threads, precision);
            return run_long([&] { return Model::load(path, options); });
          },
          py::arg("path"), py::arg("device"), py::arg("threads"), py::arg("precision"))
      .def(
          "save",
          [](const Model& model, const std::string& path, const std::string& dtype) {
            run_long([&] { model.save(path, dtype); });
          },
          py::arg("path"), py::arg("dtype"))
      .def_property_readonly("config", [](const Model& model) { return to_dict(model.config()); })
      .def_property_readonly("train_config",
                             [](const Model& model) { return to_dict(model.train_config()); })
      .def(
          "set_train_config",
          [](Model& model, const py::dict& config) {
            model.set_train_config(from_dict<TrainConfig>(config));
          },
          py::arg("config"))
      .def_property_readonly("last_run",
                             [](const Model& model) -> py::object {
                               if (!model.last_run()) return py::none();
                               return to_dict(*model.last_run());
                             })
      .def_property_readonly("device", &Model::device)
      .def_property_readonly("precision", &Model::precision)
      .def_property_readonly("num_parameters", &Model::num_parameters)
      .def_property_readonly("seen_bytes",
                             [](const Model& model) { return to_python(model.seen_bytes()); })
      .def_property_readonly("memory", &memory)
      .def_property_readonly("tensors", &tensors)
      .def("parameters", &parameters)
      .def(
          "set_parameter",
          [](Model& model, const std::string& name, const FloatArray& values) {
            run_long([&] { model.set_parameter(name, values.data(), values.size()); });
          },
          py::arg("name"), py::arg("values"))
      .def(
          "new_state",
          [](const Model& model, py::handle batch_size) {
            int64_t size = 0;
            read_field("batch_size", batch_size, size);
            return model.new_state(size);
          },
          py::arg("batch_size"))
      .def("step", &step, py::arg("tokens"), py::arg("state"))
      .def("logits", &logits, py::arg("inputs"), py::arg("state"))
      .def("loss", &loss, py::arg("inputs"), py::arg("targets"), py::arg("state"))
      .def("gradients", &gradients, py::arg("inputs"), py::arg("targets"), py::arg("state"))
      .def("score", &score, py::arg("text"), py::arg("log_probs"), py::arg("adapt"),
           py::arg("keep"))
      .def("score_many", &score_many, py::arg("texts"), py::arg("log_probs"))
      .def("next_byte_probs", &next_byte_probs, py::arg("prefix"));
}

}  // namespace slm::python
