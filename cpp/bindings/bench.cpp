// Functions of the core for `slm bench`, beside the public API.
#include <chrono>

#include "cpu/peak.h"
#include "evaluate/score.h"
#include "fields.h"
#include "model_impl.h"
#include "pass/profile.h"
#include "util/thread_pool.h"
#include "window.h"

namespace slm::python {
namespace {

Phases profile_steps(Trainer& trainer, py::handle inputs, py::handle targets, int64_t steps) {
  const Window w(inputs, targets);
  return run_long([&] {
    return profile([&] {
      for (int64_t i = 0; i < steps; ++i)
        trainer.step(w.inputs.data(), w.targets.data(), w.seq_len(), w.batch_size());
    });
  });
}

double estimate_score_seconds(const Model& model, py::handle text, double budget) {
  const ByteArray bytes = byte_array(text, "text", "(num_bytes,)", 1);
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  return run_long([&] {
    return slm::estimate_score_seconds(impl_of(model), bytes.data(),
                                       static_cast<size_t>(bytes.size()), budget, now);
  });
}

}  // namespace

void register_bench(py::module_& m) {
  m.def("require_cublas", &require_cublas);
  m.def("available_cores", &available_cores);
  m.def(
      "measure_fma",
      [](py::handle threads_in, double seconds) {
        int threads = 0;
        read_field("threads", threads_in, threads);
        return run_long([&] { return measure_fma(threads, seconds); });
      },
      py::arg("threads"), py::arg("seconds"));
  m.def(
      "measure_read",
      [](py::handle threads_in, int64_t num_bytes, double seconds) {
        int threads = 0;
        read_field("threads", threads_in, threads);
        return run_long([&] { return measure_read(threads, num_bytes, seconds); });
      },
      py::arg("threads"), py::arg("num_bytes"), py::arg("seconds"));
  m.def("profile_steps", &profile_steps, py::arg("trainer"), py::arg("inputs"), py::arg("targets"),
        py::arg("steps"));
  m.def("estimate_score_seconds", &estimate_score_seconds, py::arg("model"), py::arg("text"),
        py::arg("budget"));
}

}  // namespace slm::python
