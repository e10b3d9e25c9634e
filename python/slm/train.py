"""Training: the loop as one call (Model.train), and its parts (Trainer)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slm import _core
from slm.config import TrainConfig, override
from slm.errors import ConfigError
from slm.progress import display
from slm.text import ByteArray, Text, file_name, to_array

if TYPE_CHECKING:
    from slm.model import Model


@dataclass(frozen=True)
class Evaluation:
    """One evaluation during training."""

    step: int
    seconds: float  #: of training so far
    train_loss: float  #: nats per byte, mean since the evaluation before
    validation_loss: float  #: nats per byte; NaN without validation or if not finite


@dataclass(frozen=True)
class Progress:
    """Passed to the callback after every step."""

    step: int  #: steps done
    steps: int  #: steps planned; 0 while the speed is still being measured
    loss: float  #: of this step, nats per byte
    learning_rate: float
    grad_norm: float  #: before clipping
    seconds: float  #: wall time since the start
    bytes_per_second: float  #: of training, evaluation left out
    evaluation: Evaluation | None  #: set when this step was followed by one
    is_best: bool  #: and it is the best so far
    notes: list[str]  #: new ones for the user, for example that the window shrank


@dataclass(frozen=True)
class History:
    """What a training run did."""

    evaluations: list[Evaluation]
    notes: list[str]
    steps: int  #: done, those before a resume included
    best_step: int  #: whose weights the model now has
    best_loss: float  #: validation loss there, or the last training loss; nats per byte
    seconds: float
    bytes_per_second: float
    config: TrainConfig  #: as it was used: steps planned, window shrunk
    stopped: bool  #: by the callback or by patience, before the plan's end


Callback = Callable[[Progress], object]


class Trainer:
    """AdamW on a model, one window at a time.

    The keywords are the fields of `TrainConfig`, whose values come from `model.train_config`.
    `steps` is where the learning rate's schedule ends. "auto" for a dropout, which chooses by how
    often a text is read, is none here. Do not use the model on another thread meanwhile.
    """

    def __init__(
        self,
        model: Model,
        *,
        steps: int | None = None,
        learning_rate: float | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        epsilon: float | None = None,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        warmup_steps: int | None = None,
        schedule: str | None = None,
        recompute: bool | None = None,
        min_lr_ratio: float | None = None,
        table_lr_scale: float | None = None,
        dropout: float | Literal["auto"] | None = None,
        locked_dropout: float | Literal["auto"] | None = None,
        input_noise: float | Literal["auto"] | None = None,
        max_spectral_radius: float | None = None,
    ) -> None:
        self._core = _trainer(
            model,
            {
                "steps": steps,
                "learning_rate": learning_rate,
                "beta1": beta1,
                "beta2": beta2,
                "epsilon": epsilon,
                "weight_decay": weight_decay,
                "clip_norm": clip_norm,
                "warmup_steps": warmup_steps,
                "schedule": schedule,
                "recompute": recompute,
                "min_lr_ratio": min_lr_ratio,
                "table_lr_scale": table_lr_scale,
                "dropout": dropout,
                "locked_dropout": locked_dropout,
                "input_noise": input_noise,
                "max_spectral_radius": max_spectral_radius,
            },
        )

    def step(
        self, inputs: ByteArray, targets: ByteArray, state: _core.State | None = None
    ) -> float:
        """One update from `inputs` and `targets`, (T, B) uint8; the loss before it, in nats.

        With a state, the window starts from it and moves it on by T bytes. Raises TrainingError
        where the loss or the gradient is not finite; the parameters are then unchanged.
        """
        return self._core.step(inputs, targets, state)

    @property
    def steps_done(self) -> int:
        return self._core.steps_done

    @property
    def learning_rate(self) -> float:
        """Of the latest step."""
        return self._core.learning_rate

    @property
    def grad_norm(self) -> float:
        """Of the latest step, before clipping."""
        return self._core.grad_norm


def train(
    self: Model,
    text: Text,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    seq_len: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    beta1: float | None = None,
    beta2: float | None = None,
    epsilon: float | None = None,
    weight_decay: float | None = None,
    clip_norm: float | None = None,
    warmup_steps: int | None = None,
    schedule: str | None = None,
    sampling: str | None = None,
    seed: int | None = None,
    recompute: bool | None = None,
    min_lr_ratio: float | None = None,
    table_lr_scale: float | None = None,
    dropout: float | Literal["auto"] | None = None,
    locked_dropout: float | Literal["auto"] | None = None,
    input_noise: float | Literal["auto"] | None = None,
    max_spectral_radius: float | None = None,
    validation: float | Text | None = 0.1,
    eval_every: int = 0,
    patience: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_seconds: float = 30,
    resume: bool = False,
    callback: Callback | None = None,
    progress: bool | None = None,
) -> History:
    """Trains on a text, and leaves the model with the weights that were best on the validation
    text, or with the last ones where there is none.

    text: str, bytes, a 1-D uint8 array, a pathlib.Path to a file or to a folder of `.txt` files, or
    a list of those, which is joined. A single file is memory-mapped.
    steps, seconds: how long, by one of the two; neither: the training config's steps. Seconds are
    wall time with evaluation.
    seq_len ... max_spectral_radius: fields of `TrainConfig`; None takes the model's
    (`model.train_config`).
    validation: a share of the text, cut off its end (at most 1 MiB), or another text, or None.
    eval_every: steps between evaluations; 0: about ten in the run. patience: stop after so many
    evaluations without a new best; 0: never.
    checkpoint: a file that is written every `checkpoint_seconds`, at the end and on Ctrl-C, and
    from which `resume=True` with the same arguments goes on as if the run had never stopped.
    callback: called with a `Progress` after every step; returning False stops.
    progress: True shows progress on standard error: one live line on a terminal, else a line for
    every evaluation. None shows the live line on a terminal and nothing elsewhere.

    Notes, such as that the text is shorter than a window, are warnings (UserWarning). Raises
    ConfigError for a value out of range or an empty text, TrainingError where the loss is no longer
    finite or the run cannot be resumed, OSError for files.
    """
    if seconds == 0:  # which the library takes for none
        raise ConfigError("seconds is 0; it must be above 0")
    if steps is not None and seconds is not None:
        raise ConfigError(f"give steps ({steps}) or seconds ({seconds}), not both")
    if checkpoint is not None and not os.fspath(checkpoint):
        raise ConfigError("checkpoint is an empty path; None trains without one")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function or None, got {type(callback).__name__}")
    trainer = _trainer(
        self,
        {
            "steps": steps,
            "seq_len": seq_len,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "beta1": beta1,
            "beta2": beta2,
            "epsilon": epsilon,
            "weight_decay": weight_decay,
            "clip_norm": clip_norm,
            "warmup_steps": warmup_steps,
            "schedule": schedule,
            "sampling": sampling,
            "seed": seed,
            "recompute": recompute,
            "min_lr_ratio": min_lr_ratio,
            "table_lr_scale": table_lr_scale,
            "dropout": dropout,
            "locked_dropout": locked_dropout,
            "input_noise": input_noise,
            "max_spectral_radius": max_spectral_radius,
        },
    )
    fraction, validation_text = _validation(validation)
    options = {
        "seconds": 0.0 if seconds is None else seconds,
        "validation_fraction": fraction,
        "eval_every": eval_every,
        "patience": patience,
        "checkpoint": b"" if checkpoint is None else file_name(checkpoint),
        "checkpoint_seconds": checkpoint_seconds,
        "resume": resume,
    }
    num_reported = 0
    with display(progress) as show:

        def on_step(fields: dict[str, Any]) -> bool:
            nonlocal num_reported
            evaluation = fields.pop("evaluation")
            done = Progress(**fields, evaluation=evaluation and Evaluation(**evaluation))
            num_reported += len(done.notes)
            for note in done.notes:
                warnings.warn(note, UserWarning, stacklevel=3)
            show(done)
            return callback is None or callback(done) is not False

        fields = trainer.fit(to_array(text), validation_text, options, on_step)
    for note in fields["notes"][num_reported:]:  # such as why the run ended, after its last step
        warnings.warn(note, UserWarning, stacklevel=3)
    return History(
        **{
            **fields,
            "evaluations": [Evaluation(**e) for e in fields["evaluations"]],
            "config": TrainConfig(**fields["config"]),
        }
    )


def _trainer(model: Model, values: dict[str, Any]) -> _core.Trainer:
    core = getattr(model, "_core", None)
    if not isinstance(core, _core.Model):
        raise TypeError(f"model must be a slm.Model, got {type(model).__name__}")
    return _core.Trainer(core, override(model.train_config, values))


def _validation(validation: float | Text | None) -> tuple[float, ByteArray | None]:
    """The share to cut off the text, and the text that is validated on instead."""
    if validation is None:
        return 0.0, None
    if isinstance(validation, bool):
        raise TypeError(f"validation must be a share, a text or None, got {validation}")
    if isinstance(validation, (int, float, np.integer, np.floating)):
        return float(validation), None
    array = to_array(validation, "validation")
    if array.size == 0:
        raise ConfigError("the validation text is empty; None trains without validation")
    return 0.0, array
