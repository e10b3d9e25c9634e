"""What fixes a model and its training. The fields and their values are those of the C++ library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from slm import _core


def _option(text: str, **default: Any) -> Any:
    """Defaults are for fields that came later: they mean what a config without the field means."""
    return field(metadata={"help": text}, **default)


@dataclass(frozen=True)
class Config:
    """A model's shape and initial values. Every model file holds it whole."""

    cell: str = _option('recurrence of a layer: "dense", or the selective "gated"')
    embed_dim: int = _option("E, width of the embedding and of every layer's input")
    state_dim: int = _option("N, width of a layer's hidden state")
    num_layers: int = _option("L, number of layers")
    init: str = _option('scale of the embedding\'s initial values, "tuned" or "seed"')
    residual: bool = _option("add a layer's input to its output", default=False)
    norm: str = _option('"rms" before each layer and before the head, or "none"', default="none")
    mlp_dim: int = _option("M, width of a SwiGLU after each layer's cell; 0: none", default=0)
    tie_embeddings: bool = _option("the head multiplies by the embedding", default=False)
    ngram_orders: tuple[int, ...] = _option(
        "lengths of the n-grams that add to a byte's embedding, rising, from 2 to 8", default=()
    )
    ngram_buckets: int = _option(
        "rows of each n-gram table from order 3 up, a power of two", default=16384
    )
    ngram_dim: int = _option(
        "width of the rows of n-grams and matches; 0: that of the embedding", default=0
    )
    match_lengths: tuple[int, ...] = _option(
        "lengths m of the matches: where the last m bytes stood before, the byte that followed "
        "there adds to a byte's embedding; rising, from 2 to 32, with ngram_orders at most 8",
        default=(),
    )
    match_span: int = _option("how many bytes back a match is looked for, up to 2^20", default=4096)


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
    schedule: str = _option('learning rate after the warm-up: "cosine" or "constant"')
    sampling: str = _option('"random" windows from zero state, or "stream": the state is carried')
    seed: int = _option("of the window positions")
    recompute: bool = _option("compute most of a long window twice, to keep a part of it in memory")
    min_lr_ratio: float = _option(
        "where the cosine ends, as a share of the highest learning rate", default=0.0
    )
    table_lr_scale: float = _option(
        "learning rate of the tables of n-grams and matches, as a multiple of the others'",
        default=3.0,
    )
    dropout: float = _option(
        "share of the n-grams and matches (without them, of the embedding's values) that a step "
        "leaves out; "
        '"auto", stored as -1, chooses it by how often the run reads the text',
        default=0.0,
    )
    locked_dropout: float = _option(
        "share of the values that go into a layer but the first, or into the head, that a step "
        'leaves out, the same at all bytes of a window; "auto" as for dropout',
        default=0.0,
    )
    input_noise: float = _option(
        "share of the input bytes that a step replaces by others of its window; "
        '"auto" as for dropout',
        default=0.0,
    )
    max_spectral_radius: float = _option(
        "what the spectral radius of a dense cell's A is kept at, at most; 0 keeps no bound",
        default=0.0,
    )


#: The fields that are lists.
LIST_FIELDS = ("ngram_orders", "match_lengths")

#: The fields that may be "auto", and what that is stored as.
AUTO_FIELDS = ("dropout", "locked_dropout", "input_noise")
AUTO = -1.0


def sparse_tables(config: Config) -> list[str]:
    """The names of the tensors in which every byte looks up a row: of n-grams, then of matches."""
    lengths = {"ngram": config.ngram_orders, "match": config.match_lengths}
    return [f"{kind}.{n}.weight" for kind, numbers in lengths.items() for n in numbers]


@dataclass(frozen=True)
class Preset:
    """A model and the way to train it."""

    config: Config
    train_config: TrainConfig


def presets(text_bytes: int = 0) -> dict[str, Preset]:
    """All presets by name; `slm.default_preset` is the name of the one used when none is given.

    For a text of `text_bytes`, n-gram tables have no more buckets than it has n-grams: the next
    power of two, but at least 256. 0: for any text."""
    return {name: preset(name, text_bytes) for name in _core.preset_names()}


def preset(name: str, text_bytes: int = 0) -> Preset:
    config, train_config = _core.preset(name, text_bytes)
    return Preset(Config(**config), TrainConfig(**train_config))


def override(config: Config | TrainConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `config`, with those of `values` that are not None in their place."""
    fields = {**asdict(config), **{k: v for k, v in values.items() if v is not None}}
    for name in AUTO_FIELDS:
        if isinstance(fields.get(name), str):
            if fields[name] != "auto":
                raise TypeError(f'{name} must be a number or "auto", got {fields[name]!r}')
            fields[name] = AUTO
    return fields
