"""Reports of a training run: at every step, at evaluations, and at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from slm.config import TrainConfig


@dataclass(frozen=True)
class Evaluation:
    """One evaluation during training."""

    step: int
    seconds: float  #: wall time since the start of the run
    train_loss: float  #: nats per byte, mean since the previous evaluation
    validation_loss: float  #: nats per byte; NaN without validation or if not finite


@dataclass(frozen=True)
class Progress:
    """Passed to the callback after every step."""

    step: int  #: steps done
    steps: int  #: steps planned; 0 while the speed is still being measured
    loss: float  #: nats per byte, of this step
    learning_rate: float
    grad_norm: float  #: before clipping
    seconds: float  #: wall time since the start
    bytes_per_second: float  #: training speed, without evaluations
    evaluation: Evaluation | None  #: the one after this step, if there was one
    is_best: bool  #: whether that evaluation is the best so far
    notes: list[str]  #: new notes for the user, for example that the window shrank


@dataclass(frozen=True)
class History:
    """The record of a training run."""

    evaluations: list[Evaluation]
    notes: list[str]
    steps: int  #: steps done, with those before a resume
    best_step: int  #: the step whose weights the model now has
    best_loss: float  #: validation loss there, or the last training loss; nats per byte
    seconds: float
    bytes_per_second: float
    config: TrainConfig  #: as used: with the planned steps, the shrunk window, the chosen dropout
    stopped: bool  #: whether the callback or early stopping ended it before the plan did


Callback: TypeAlias = Callable[[Progress], object]
