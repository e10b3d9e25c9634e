"""What fixes a model and its training. The fields and their values are those of the C++ library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from slm import _core


def _option(text: str) -> Any:
    return field(metadata={"help": text})


@dataclass(frozen=True)
class Config:
    """A model's shape and initial values. Every model file holds it whole."""

    cell: str = _option('recurrence of a layer; "dense": h = A h + B u, y = C swish(h) + D u')
    embed_dim: int = _option("E, width of the embedding and of every layer's input")
    state_dim: int = _option("N, width of a layer's hidden state")
    num_layers: int = _option("L, number of layers")
    init: str = _option('scale of the initial values, "tuned" or "seed"')


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained: AdamW, its schedule, and where the windows come from."""

    steps: int = _option("number of updates")
    seq_len: int = _option("T, bytes per window")
    batch_size: int = _option("B, windows per step")
    learning_rate: float = _option("highest learning rate")
    beta1: float = _option("AdamW: decay of the mean of the gradient")
    beta2: float = _option("AdamW: decay of the mean of its square")
    epsilon: float = _option("AdamW: added to the root of the mean square")
    weight_decay: float = _option("each update scales weights by 1 - learning_rate * weight_decay")
    clip_norm: float = _option("largest norm of the whole gradient; 0 does not clip")
    warmup_steps: int = _option("steps in which the learning rate rises to its highest")
    schedule: str = _option('learning rate after the warm-up: "cosine" to zero, or "constant"')
    sampling: str = _option('"random" windows from zero state, or "stream": the state is carried')
    seed: int = _option("of the window positions")
    recompute: bool = _option("compute most of a window twice, to keep about √T of its steps")


@dataclass(frozen=True)
class Preset:
    """A model and the way to train it."""

    model: Config
    training: TrainConfig


def presets() -> dict[str, Preset]:
    """All presets by name; `slm.default_preset` is the name of the one used when none is given."""
    return {name: preset(name) for name in _core.preset_names()}


def preset(name: str) -> Preset:
    model, training = _core.preset(name)
    return Preset(Config(**model), TrainConfig(**training))


def override(config: Config | TrainConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `config`, with those of `values` that are not None in their place."""
    return {**asdict(config), **{k: v for k, v in values.items() if v is not None}}
