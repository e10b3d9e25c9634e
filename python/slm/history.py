"""What a training run reports, step by step and at its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from slm.config import TrainConfig


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
    stopped: bool  #: by the callback or by early stopping, before the plan's end


Callback: TypeAlias = Callable[[Progress], object]
