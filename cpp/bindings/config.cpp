#include "fields.h"
#include "tensors.h"

namespace slm::python {
namespace {

using namespace py::literals;

bool is_required() { return false; }
bool is_required(Presence presence) { return presence == Presence::required; }

// The default of each field by name, and whether every model file has the field.
template <class Options>
py::dict describe_fields() {
  Options options;
  py::dict fields;
  for_each_field(options, [&](const char* name, const auto& value, auto... presence) {
    fields[name] =
        py::dict("default"_a = to_python(value), "required"_a = is_required(presence...));
  });
  return fields;
}

}  // namespace

void register_config(py::module_& m) {
  m.def("config_fields", &describe_fields<Config>);
  m.def("train_config_fields", &describe_fields<TrainConfig>);
  m.def("sample_option_fields", &describe_fields<SampleOptions>);
  m.def(
      "has_head", [](const py::dict& config) { return has_head(from_dict<Config>(config)); },
      py::arg("config"));
  m.def("preset_names", &preset_names);
  m.def(
      "preset",
      [](const std::string& name, int64_t text_bytes) {
        const Preset p = preset(name, text_bytes);
        return py::make_tuple(to_dict(p.config), to_dict(p.train_config));
      },
      py::arg("name"), py::arg("text_bytes") = 0);
}

}  // namespace slm::python
