#include "fields.h"

namespace slm::python {

void register_config(py::module_& m) {
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
