#include "fields.h"
#include "io/checkpoint.h"
#include "window.h"

namespace slm::python {
namespace {

using namespace py::literals;

py::dict evaluation_dict(const Evaluation& e) {
  return py::dict("step"_a = e.step, "seconds"_a = e.seconds, "train_loss"_a = e.train_loss,
                  "validation_loss"_a = e.validation_loss);
}

py::dict progress_dict(const Progress& p) {
  py::object evaluation = py::none();
  if (p.evaluation) evaluation = evaluation_dict(*p.evaluation);
  return py::dict("step"_a = p.step, "steps"_a = p.steps, "loss"_a = p.loss,
                  "learning_rate"_a = p.learning_rate, "grad_norm"_a = p.grad_norm,
                  "seconds"_a = p.seconds, "bytes_per_second"_a = p.bytes_per_second,
                  "evaluation"_a = evaluation, "is_best"_a = p.is_best, "notes"_a = p.notes);
}

py::dict history_dict(const History& h) {
  py::list evaluations;
  for (const Evaluation& e : h.evaluations) evaluations.append(evaluation_dict(e));
  return py::dict("evaluations"_a = evaluations, "notes"_a = h.notes, "steps"_a = h.steps,
                  "best_step"_a = h.best_step, "best_loss"_a = h.best_loss, "seconds"_a = h.seconds,
                  "bytes_per_second"_a = h.bytes_per_second, "config"_a = to_dict(h.config),
                  "stopped"_a = h.stopped);
}

float train_step(Trainer& trainer, py::handle inputs, py::handle targets, py::handle state_in) {
  const Window w(inputs, targets);
  State* state = state_of(state_in);
  return run_long([&] {
    return trainer.step(w.inputs.data(), w.targets.data(), w.seq_len(), w.batch_size(), state);
  });
}

// A text as bytes, or Documents; kept alive by `array` or by the caller.
std::string_view text_view(py::handle text, const char* what, ByteArray& array) {
  if (py::isinstance<Documents>(text)) return text.cast<const Documents&>().encoded();
  array = byte_array(text, what, "(num_bytes,)", 1);
  return view(array);
}

py::dict fit(Trainer& trainer, py::handle text, py::handle validation, const py::dict& options,
             const py::function& callback) {
  ByteArray text_array, validation_array;
  const std::string_view bytes = text_view(text, "text", text_array);
  FitOptions fit_options = from_dict<FitOptions>(options);
  if (!validation.is_none())
    fit_options.validation = text_view(validation, "validation", validation_array);
  LongCall call;
  const auto on_progress = [&](const Progress& progress) {
    return call.python([&] { return callback(progress_dict(progress)).cast<bool>(); });
  };
  if (!py::isinstance<Documents>(text))
    return history_dict(call.run([&] { return trainer.fit(bytes, fit_options, on_progress); }));
  const auto& documents = text.cast<const Documents&>();
  return history_dict(call.run([&] { return trainer.fit(documents, fit_options, on_progress); }));
}

// The options that a run was started with, so that `slm train --resume` can use them again.
py::dict checkpoint_header(const std::string& path) {
  const CheckpointHeader header = load_checkpoint_header(path);
  py::dict length;  // {"seconds": 8.0} or {"steps": 1500}
  if (const Json* planned = header.plan.find("length")) {
    for (const char* unit : {"steps", "seconds"}) {
      const Json* value = planned->find(unit);
      if (value == nullptr) continue;
      if (const auto* whole = value->get_if<int64_t>()) length[unit] = *whole;
      if (const auto* real = value->get_if<double>()) length[unit] = *real;
    }
  }
  const Json* precision = header.plan.find("precision");
  const auto* name = precision ? precision->get_if<std::string>() : nullptr;
  return py::dict("config"_a = to_dict(header.config),
                  "train_config"_a = to_dict(header.train_config), "length"_a = length,
                  "precision"_a = name ? *name : std::string());
}

}  // namespace

void register_trainer(py::module_& m) {
  py::class_<Trainer>(m, "Trainer")
      .def(py::init([](Model& model, const py::dict& config) {
             return Trainer(model, from_dict<TrainConfig>(config));
           }),
           py::keep_alive<1, 2>(), py::arg("model"), py::arg("config"))
      .def("step", &train_step, py::arg("inputs"), py::arg("targets"), py::arg("state"))
      .def("fit", &fit, py::arg("text"), py::arg("validation"), py::arg("options"),
           py::arg("callback"))
      .def_property_readonly("steps_done", &Trainer::steps_done)
      .def_property_readonly("learning_rate", &Trainer::learning_rate)
      .def_property_readonly("grad_norm", &Trainer::grad_norm);
  m.def("checkpoint_header", &checkpoint_header, py::arg("path"));
}

}  // namespace slm::python
