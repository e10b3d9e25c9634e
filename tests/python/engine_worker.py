"""Computes a group of the cases of engine_grid.py with the engine:
python engine_worker.py OUT.npz core"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import slm
from engine_cases import THREADS, TRAINING_STEPS, Case, flatten, other_rows
from engine_grid import ADAMW, CASES, PEAK_RATE, PLAN, TRAINING_CASES
from slm import _core


def make_model(case: Case, threads: int) -> slm.Model:
    model = slm.Model("seed-small", **case.model_options(), threads=threads)
    if case.init == "random":
        values = case.random_parameters()
        model.set_parameters({name: w.astype(np.float32) for name, w in values.items()})
    return model


def make_state(case: Case, model: slm.Model, step: int = 0) -> slm.State | None:
    if not case.with_state:
        return None
    state = model.new_state(case.batch_size)
    model.logits(case.windows(step)[0], state)
    return state


def compute(case: Case, threads: int) -> dict[str, Any]:
    model = make_model(case, threads)
    _, inputs, targets = case.windows()
    loss, grads = model.gradients(inputs, targets, make_state(case, model))
    results: dict[str, Any] = {"loss": loss, "gradients": flatten(grads, case)}
    zeros = {name: np.zeros_like(g) for name, g in grads.items()}
    results["other rows"] = other_rows(zeros, grads, case)
    results["parameters"] = flatten(model.parameters, case)
    if inputs.size < 1000:  # logits of long windows are large
        results["logits"] = model.logits(inputs, make_state(case, model))
    results["loss only"] = model.loss(inputs, targets, make_state(case, model))
    return results


def train(case: Case, threads: int) -> dict[str, Any]:
    model = make_model(case, threads)
    before = {name: w.copy() for name, w in model.parameters.items()}
    trainer = slm.Trainer(model, learning_rate=PEAK_RATE, **PLAN, **ADAMW)
    losses = [
        trainer.step(*case.windows(step)[1:], make_state(case, model, step))
        for step in range(TRAINING_STEPS)
    ]
    return {
        "parameters": flatten(before, case),
        "trained losses": losses,
        "trained parameters": flatten(model.parameters, case),
        "trained logits": model.logits(case.windows()[1], make_state(case, model)),
        "other rows": other_rows(before, model.parameters, case, TRAINING_STEPS),
    }


def main(out: str, group: str) -> None:
    results: dict[str, Any] = {"isa": _core.isa()}
    for threads in THREADS:
        for case in (case for case in CASES if case.group == group):
            results |= {f"{threads}/{case}/{key}": v for key, v in compute(case, threads).items()}
        for case in (case for case in TRAINING_CASES if case.group == group):
            results |= {f"{threads}/{case}/{key}": v for key, v in train(case, threads).items()}
    np.savez(out, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
