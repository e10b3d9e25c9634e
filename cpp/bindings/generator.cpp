#include "arrays.h"
#include "fields.h"
#include "numerics/sampling.h"

namespace slm::python {
namespace {

py::object name_of(std::optional<FinishReason> reason) {
  return reason ? py::object(py::str(choice_name(*reason))) : py::none();
}

// (text, finish_reason, stop) of each sample.
py::list generate_batch(Generator& generator, const std::vector<std::string>& prompts,
                        py::handle max_bytes_in, py::handle num_samples_in) {
  int64_t max_bytes = 0, num_samples = 0;
  read_field("max_bytes", max_bytes_in, max_bytes);
  read_field("num_samples", num_samples_in, num_samples);
  const std::vector<Sample> samples =
      run_long([&] { return generator.generate_batch(prompts, max_bytes, num_samples); });
  py::list list;
  for (const Sample& sample : samples)
    list.append(py::make_tuple(py::bytes(sample.text), name_of(sample.finish_reason),
                               py::bytes(sample.stop)));
  return list;
}

void start(Generator& generator, const py::bytes& prompt, py::handle max_bytes_in) {
  int64_t max_bytes = 0;
  read_field("max_bytes", max_bytes_in, max_bytes);
  const std::string_view bytes = prompt;
  run_long([&] { generator.start(bytes, max_bytes); });
}

// For the tests of the sampler: the probabilities that a byte is sampled from after `text`.
FloatArray next_byte_distribution(const FloatArray& logits, const py::dict& fields,
                                  const std::string& text) {
  if (logits.size() != kVocabSize) throw Error(ErrorKind::config, "logits must have 256 values");
  const auto options = from_dict<SampleOptions>(fields);
  validate(options);
  const SampleRequest at{0, 0, 0, allowed_bytes(options, {}), ByteSet(text)};
  FloatArray probs(kVocabSize);
  slm::next_byte_distribution(logits.data(), options, LogitRules(options), at,
                              probs.mutable_data());
  return probs;
}

}  // namespace

void register_generator(py::module_& m) {
  py::class_<Generator>(m, "Generator")
      .def(py::init([](const Model& model, const py::dict& fields, bool whole_characters) {
             auto options = from_dict<SampleOptions>(fields);
             options.whole_characters = whole_characters;
             return Generator(model, options);
           }),
           py::keep_alive<1, 2>(), py::arg("model"), py::arg("options"),
           py::arg("whole_characters"))
      .def("generate_batch", &generate_batch, py::arg("prompts"), py::arg("max_bytes"),
           py::arg("num_samples"))
      .def("start", &start, py::arg("prompt"), py::arg("max_bytes"))
      .def("next",
           [](Generator& generator) {
             return py::bytes(run_long([&] { return generator.next(); }));
           })
      .def_property_readonly(
          "finish_reason",
          [](const Generator& generator) { return name_of(generator.finish_reason()); })
      .def_property_readonly(
          "stop", [](const Generator& generator) { return py::bytes(generator.stop()); });
  m.def("_next_byte_distribution", &next_byte_distribution, py::arg("logits"), py::arg("options"),
        py::arg("text"));
}

}  // namespace slm::python
