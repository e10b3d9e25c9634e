#include "bindings.h"
#include "cpu/isa.h"

PYBIND11_MODULE(_core, m) {
  using namespace slm::python;
  m.doc() = "The compiled part of slm. Use the package slm, which adds defaults and documentation.";
  m.attr("__version__") = slm::kVersion;
  m.attr("build") = SLM_BUILD;
  m.attr("format_version") = slm::kFormatVersion;
  m.attr("default_preset") = slm::kDefaultPreset;
  m.def("isa", [] { return slm::isa_name(); });
  m.def("bf16_isa", [] {
    const slm::Kernels* kernels = slm::bf16_kernels();
    return std::string(kernels == nullptr ? "none" : kernels->name);
  });
  register_errors(m);
  register_config(m);
  register_text(m);
  register_model(m);
  register_trainer(m);
  register_generator(m);
  register_bench(m);
  register_exit(m);
}
