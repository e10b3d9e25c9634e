#include "fields.h"
#include "io/checkpoint.h"
#include "window.h"

namespace slm::python {
namespace {

py::tuple evaluation_fields(const Evaluation& e) {
  return py::make_tuple(e.step, e.seconds, e.train_loss, e.validation_loss);
}

// In the order of the Python class Progress.
py::tuple progress_fields(const Progress& p) {
  py::object evaluation = py::none();
  if (p.evaluation) evaluation = evaluation_fields(*p.evaluation);
  return py::make_tuple(p.step, p.steps, p.loss, p.learning_rate, p.grad_norm, p.seconds,
                        p.bytes_per_second, evaluation, p.is_best,
                        py::str(p.note.data(), p.note.size()));
}

py::dict history_fields(const History& history) {
  py::list evaluations;
  for (const Evaluation& e : history.evaluations) evaluations.append(evaluation_fields(e));
  py::dict fields;
  fields["evaluations"] = evaluations;
  fields["notes"] = history.notes;
  fields["steps"] = history.steps;
  fields["best_step"] = history.best_step;
  fields["best_loss"] = history.best_loss;
  fields["seconds"] = history.seconds;
  fields["bytes_per_second"] = history.bytes_per_second;
  fields["config"] = to_dict(history.config);
  fields["stopped"] = history.stopped;
  return fields;
}

float train_step(Trainer& trainer, py::handle inputs, py::handle targets, py::handle state_in) {
  const Window w(inputs, targets);
  State* state = state_of(state_in);
  return run_long([&] {
    return trainer.step(w.inputs.data(), w.targets.data(), w.seq_len(), w.batch_size(), state);
  });
}

py::dict fit(Trainer& trainer, py::handle text, py::handle validation, const py::dict& options,
             const py::function& callback) {
  const ByteArray bytes = byte_array(text, "text", "(num_bytes,)", 1);
  FitOptions fit_options = from_dict<FitOptions>(options);
  ByteArray validation_bytes;
  if (!validation.is_none()) {
    validation_bytes = byte_array(validation, "validation", "(num_bytes,)", 1);
    fit_options.validation = view(validation_bytes);
  }
  LongCall call;
  return history_fields(call.run([&] {
    return trainer.fit(view(bytes), fit_options, [&](const Progress& progress) {
      return call.python([&] { return callback(*progress_fields(progress)).cast<bool>(); });
    });
  }));
}

// What a run was started with, so that the command line need not be told again.
py::tuple checkpoint_configs(const std::string& path) {
  const Checkpoint checkpoint = load_checkpoint(path);
  const auto planned = [&](const char* name) {
    const Json* value = checkpoint.plan.find(name);
    const auto* words = value ? value->get_if<std::string>() : nullptr;
    return words ? *words : std::string();
  };
  return py::make_tuple(to_dict(checkpoint.config), to_dict(checkpoint.train_config),
                        planned("length"),  // "8 seconds" or "1500 steps"
                        planned("precision"));
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
  m.def("checkpoint_configs", &checkpoint_configs, py::arg("path"));
}

}  // namespace slm::python
