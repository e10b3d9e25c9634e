#include "arrays.h"
#include "fields.h"
#include "numerics/sampling.h"

namespace slm::python {
namespace {

py::list generate_samples(Generator& generator, const py::bytes& prompt, py::handle max_bytes_in,
                          py::handle num_samples_in) {
  int64_t max_bytes = 0, num_samples = 0;
  read_field("max_bytes", max_bytes_in, max_bytes);
  read_field("num_samples", num_samples_in, num_samples);
  const std::string_view bytes = prompt;
  const std::vector<std::string> samples =
      run_long([&] { return generator.generate_samples(bytes, max_bytes, num_samples); });
  py::list list;
  for (const std::string& sample : samples) list.append(py::bytes(sample));
  return list;
}

void start(Generator& generator, const py::bytes& prompt, py::handle max_bytes_in) {
  int64_t max_bytes = 0;
  read_field("max_bytes", max_bytes_in, max_bytes);
  const std::string_view bytes = prompt;
  run_long([&] { generator.start(bytes, max_bytes); });
}

// For the tests of the sampler: the probabilities that a byte is drawn from.
FloatArray next_byte_distribution(const FloatArray& logits, const py::dict& fields) {
  if (logits.size() != kVocabSize) throw Error(ErrorKind::config, "logits must have 256 values");
  const auto options = from_dict<SampleOptions>(fields);
  validate(options);
  FloatArray probs(kVocabSize);
  slm::next_byte_distribution(logits.data(), options, probs.mutable_data());
  return probs;
}

}  // namespace

void register_generator(py::module_& m) {
  py::class_<Generator>(m, "Generator")
      .def(py::init([](const Model& model, const py::dict& options) {
             return Generator(model, from_dict<SampleOptions>(options));
           }),
           py::keep_alive<1, 2>(), py::arg("model"), py::arg("options"))
      .def("generate_samples", &generate_samples, py::arg("prompt"), py::arg("max_bytes"),
           py::arg("num_samples"))
      .def("start", &start, py::arg("prompt"), py::arg("max_bytes"))
      .def("next", [](Generator& generator) {
        return py::bytes(run_long([&] { return generator.next(); }));
      });
  m.def("_next_byte_distribution", &next_byte_distribution, py::arg("logits"), py::arg("options"));
}

}  // namespace slm::python
