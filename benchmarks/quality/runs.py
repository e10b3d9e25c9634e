"""Trains as a user would, timed from outside, and measures the resulting model."""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import slm
from slm.text import ByteArray

from quality.records import machine
from quality.texts import Corpus

_MODEL_FIELDS = {f.name for f in fields(slm.Config)}
_TRAINING_FIELDS = {f.name for f in fields(slm.TrainConfig)} - {"steps", "seed"}


@dataclass(frozen=True)
class Recipe:
    """A preset with overrides, and the length of the run in seconds or steps."""

    preset: str
    overrides: dict[str, Any] = field(default_factory=dict)  #: fields of both configs
    seconds: float | None = None
    steps: int | None = None
    seed: int = 0
    threads: int | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        unknown = self.overrides.keys() - _MODEL_FIELDS - _TRAINING_FIELDS
        if unknown:
            known = ", ".join(sorted(_MODEL_FIELDS | _TRAINING_FIELDS))
            raise slm.ConfigError(f"{', '.join(sorted(unknown))}: a recipe overrides {known}")
        if (self.seconds is None) == (self.steps is None):
            raise slm.ConfigError("give seconds or steps")

    def model(self) -> slm.Model:
        chosen = {k: v for k, v in self.overrides.items() if k in _MODEL_FIELDS}
        how = {"threads": self.threads, "precision": self.precision}
        return slm.Model(self.preset, **chosen, **how, seed=self.seed)

    def training(self) -> dict[str, Any]:
        """Keywords of Model.train."""
        chosen = {k: v for k, v in self.overrides.items() if k in _TRAINING_FIELDS}
        return {**chosen, "seconds": self.seconds, "steps": self.steps, "seed": self.seed}


def train(
    recipe: Recipe, text: ByteArray, validation: ByteArray
) -> tuple[slm.Model, dict[str, Any]]:
    """The model with its best weights on `validation`, and the record of the run."""
    here = machine(recipe.threads, recipe.precision)
    model = recipe.model()
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the record has the notes
        history = model.train(text, validation=validation, **recipe.training())
    seconds_taken = time.perf_counter() - started
    done = history.config
    return model, {
        "preset": recipe.preset,
        "overrides": recipe.overrides,
        "seconds": recipe.seconds,
        "seconds_taken": round(seconds_taken, 3),
        "steps": history.steps,
        "best_step": history.best_step,
        "bytes_trained": history.steps * done.seq_len * done.batch_size,
        "seed": recipe.seed,
        "precision": recipe.precision,
        "parameters": model.num_parameters,
        **here,
        "notes": history.notes,
        "config": asdict(model.config),
        "train_config": asdict(done),
        "curve": [
            [round(e.seconds, 3), e.step, round(e.validation_loss, 5)] for e in history.evaluations
        ],
    }


def run(recipe: Recipe, corpus: Corpus, adapt: bool = False) -> dict[str, Any]:
    """One line of results.jsonl. Its `curve` and `cut_nats_per_byte`, by which the tables select a
    preset, are on the validation text, which is cut from the training text; `nats_per_byte` is on
    the held-out text."""
    model, record = train(recipe, corpus.train, corpus.validation)
    record["cut_nats_per_byte"] = loss(model, corpus.validation)
    record["nats_per_byte"] = loss(model, corpus.held_out)
    if adapt:
        record["adapted"] = loss(model, corpus.held_out, adapt=True)
    record.update(files(model, corpus.held_out))
    return {"kind": "run", "text": corpus.name, **record}


def loss(model: slm.Model, text: ByteArray, adapt: bool = False) -> float:
    return model.score(text, log_probs=False, adapt=adapt).nats_per_byte


def files(model: slm.Model, text: ByteArray) -> dict[str, Any]:
    """Sizes of the model file in float32 and int8, and the loss of the int8 export."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {dtype: Path(folder, f"{dtype}.safetensors") for dtype in ("float32", "int8")}
        for dtype, path in paths.items():
            model.save(path, dtype)
        exported = slm.load(paths["int8"])
        return {
            **{f"{dtype}_file_bytes": path.stat().st_size for dtype, path in paths.items()},
            "int8_nats_per_byte": loss(exported, text),
        }
