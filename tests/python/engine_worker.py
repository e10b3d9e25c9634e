"""Computes every case of engine_cases.py with the engine: python engine_worker.py OUT.npz"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import slm
from engine_cases import CASES, THREADS, TRAINING_CASES, TRAINING_STEPS, Case
from slm import _core


def make_model(case: Case, threads: int) -> slm.Model:
    model = slm.Model("seed-small", **case.model_options(), threads=threads)
    if case.init == "random":
        values = case.random_parameters()
        model.set_parameters({name: w.astype(np.float32) for name, w in values.items()})
    return model


def make_state(case: Case, model: slm.Model) -> slm.State | None:
    if not case.with_state:
        return None
    state = model.new_state(case.batch_size)
    model.logits(case.windows()[0], state)
    return state


def flatten(tensors: dict[str, Any]) -> Any:
    return np.concatenate([values.reshape(-1) for values in tensors.values()])


def main(out: str) -> None:
    results: dict[str, Any] = {"isa": _core.isa()}
    for threads in THREADS:
        for case in CASES:
            model = make_model(case, threads)
            _, inputs, targets = case.windows()
            loss, grads = model.gradients(inputs, targets, make_state(case, model))
            key = f"{threads}/{case}"
            results[f"{key}/loss"] = loss
            results[f"{key}/gradients"] = flatten(grads)
            results[f"{key}/parameters"] = flatten(model.parameters)
            if case.seq_len * case.batch_size < 1000:  # logits of long windows are large
                results[f"{key}/logits"] = model.logits(inputs, make_state(case, model))
            results[f"{key}/loss only"] = model.loss(inputs, targets, make_state(case, model))
        for case in TRAINING_CASES:
            model = make_model(case, threads)
            _, inputs, targets = case.windows()
            trainer = slm.Trainer(model, learning_rate=1e-2, warmup_steps=2, clip_norm=0.1)
            key = f"{threads}/{case}"
            results[f"{key}/trained losses"] = [
                trainer.step(inputs, targets, make_state(case, model))
                for _ in range(TRAINING_STEPS)
            ]
            results[f"{key}/trained parameters"] = flatten(model.parameters)
            results[f"{key}/trained logits"] = model.logits(inputs, make_state(case, model))
    np.savez(out, **results)


if __name__ == "__main__":
    main(sys.argv[1])
