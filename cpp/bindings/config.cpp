#include "fields.h"

namespace slm::python {

void register_config(py::module_& m) {
  m.def("preset_names", &preset_names);
  m.def("preset", [](const std::string& name) {
    const Preset p = preset(name);
    return py::make_tuple(to_dict(p.model), to_dict(p.training));
  });
}

}  // namespace slm::python
