"""Trainer: single training steps, for loops of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slm import _core
from slm.config import StepFields, TrainConfig, override
from slm.fields import with_fields
from slm.model import Model
from slm.text import ByteArray

if TYPE_CHECKING:
    from typing_extensions import Unpack


@with_fields(StepFields, TrainConfig)
class Trainer:
    """AdamW on a model, one window at a time, for training loops of your own.

    The model must not be used on another thread meanwhile. The other arguments are fields of
    `TrainConfig`; None takes the value of `model.train_config`. `steps` is where the learning
    rate's schedule ends; a dropout of "auto" is 0 here, since it depends on how often a run reads
    its text.

    {fields}
    """

    def __init__(self, model: Model, **fields: Unpack[StepFields]) -> None:
        if not isinstance(getattr(model, "_core", None), _core.Model):
            raise TypeError(f"model must be a slm.Model, got {type(model).__name__}")
        config = override(Trainer, StepFields, model.train_config, fields)
        self._core = _core.Trainer(model._core, config)

    def step(
        self, inputs: ByteArray, targets: ByteArray, state: _core.State | None = None
    ) -> float:
        """One update from `inputs` and `targets`, (T, B) uint8; returns the loss before it, in
        nats.

        With a state, the window starts from it and advances it by T bytes. Raises TrainingError
        where the loss or the gradient is not finite; the parameters are then unchanged.
        """
        return self._core.step(inputs, targets, state)

    @property
    def steps_done(self) -> int:
        """The number of updates so far."""
        return self._core.steps_done

    @property
    def learning_rate(self) -> float:
        """The learning rate of the latest step."""
        return self._core.learning_rate

    @property
    def grad_norm(self) -> float:
        """The norm of the latest step's gradient, before clipping."""
        return self._core.grad_norm
