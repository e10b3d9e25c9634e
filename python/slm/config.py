"""Configs of models and of training. The fields and their defaults are those of the C++ library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypedDict

from slm import _core
from slm.fields import check_keywords, defaults_from, option


@dataclass(frozen=True)
@defaults_from(_core.config_fields())
class Config:
    """A model's shape and initial values. Every model file holds all of it."""

    cell: str = option('recurrence of the layers: "dense", or the selective "gated"')
    embed_dim: int = option("E, width of the embedding and of every layer's input")
    state_dim: int = option("N, width of a layer's hidden state")
    num_layers: int = option("L, number of layers")
    init: str = option('scale of the initial embedding: "tuned" or "seed"')
    residual: bool = option("add each layer's input to its output")
    norm: str = option('"rms": RMSNorm before each cell, each SwiGLU and the head; or "none"')
    mlp_dim: int = option("M, hidden width of a SwiGLU after each layer's cell; 0: no SwiGLU")
    tie_embeddings: bool = option("weight tying: the embedding matrix is also the output head")
    head_bias: bool = option(
        "add a bias to the logits of the head; training starts it at the log of the byte "
        "frequencies of its text"
    )
    ngram_orders: tuple[int, ...] = option(
        "orders n of the hashed n-gram embeddings, ascending, from 2 to 8"
    )
    ngram_buckets: int = option(
        "rows (hash buckets) of each n-gram table of order 3 or more, a power of two"
    )
    ngram_dim: int = option(
        "width of n-gram and match embeddings, which are then projected to embed_dim; 0: embed_dim"
    )
    match_lengths: tuple[int, ...] = option(
        "context lengths m of the match model, which finds the most recent earlier occurrence of "
        "the last m bytes and adds an embedding of the byte that followed it; ascending, from 2 "
        "to 32, at most 8 together with ngram_orders"
    )
    match_span: int = option("how many bytes back the match model searches, up to 2^20")
    documents: bool = option(
        "the text consists of documents, whose ends the model predicts; training on several "
        "documents sets it"
    )
    fixed_share: float = option(
        "scores are those of a mixture that switches at this rate between the model and a uniform "
        "distribution, so that they are bounded on any text; 0: the model's own"
    )


@dataclass(frozen=True)
@defaults_from(_core.train_config_fields())
class TrainConfig:
    """How a model is trained: AdamW, its schedule, and the sampling of windows from the text."""

    steps: int = option("number of optimizer updates")
    seq_len: int = option("T, bytes per window")
    batch_size: int = option("B, windows per step")
    learning_rate: float = option("peak learning rate")
    beta1: float = option("AdamW: decay rate of the first moment")
    beta2: float = option("AdamW: decay rate of the second moment")
    epsilon: float = option("AdamW: added to the root of the second moment")
    weight_decay: float = option(
        "AdamW: decoupled weight decay, which scales weights by 1 - learning_rate * weight_decay"
    )
    clip_norm: float = option("gradient clipping: largest norm of the whole gradient; 0: none")
    warmup_steps: int = option(
        "steps of linear warm-up to the peak learning rate; a run of fewer than ten times as many "
        "steps warms up in a tenth of them if the model has a norm"
    )
    schedule: str = option('learning rate after the warm-up: "cosine" decay, or "constant"')
    sampling: str = option(
        '"random" windows, each from a zero state, or "stream": windows in the order of the text, '
        "with the state carried over (truncated BPTT)"
    )
    seed: int = option("random seed of window positions, dropout and noise")
    recompute: bool = option(
        "activation checkpointing: less memory for long windows, a third more computation"
    )
    min_lr_ratio: float = option(
        "learning rate at the end of the cosine, as a fraction of the peak"
    )
    table_lr_scale: float = option(
        "learning rate of the n-gram and match tables, as a multiple of learning_rate"
    )
    dropout: float = option(
        "probability with which a training step drops an n-gram or match embedding (in a model "
        'without them, a value of the byte embedding); "auto", stored as -1, chooses it by how '
        "often the run reads the text",
        auto=True,
    )
    locked_dropout: float = option(
        "probability with which a training step drops an input of the head or of a layer after "
        'the first, with one mask for all bytes of a window; needs norm "rms"; "auto" as for '
        "dropout",
        auto=True,
    )
    input_noise: float = option(
        "probability with which a training step replaces an input byte by another one of its "
        'window; "auto" as for dropout',
        auto=True,
    )
    max_spectral_radius: float = option(
        "upper bound on the spectral radius of a dense cell's matrix A; 0: no bound"
    )
    cold_fraction: float = option(
        "fraction of the rows of a batch that are cold starts: each consists of short pieces that "
        "begin at documents, paragraphs or lines, from a zero state"
    )


# The same fields as keywords, for type checkers. None keeps the value of the preset or model.


class ConfigFields(TypedDict, total=False):
    cell: str | None
    embed_dim: int | None
    state_dim: int | None
    num_layers: int | None
    init: str | None
    residual: bool | None
    norm: str | None
    mlp_dim: int | None
    tie_embeddings: bool | None
    head_bias: bool | None
    ngram_orders: Sequence[int] | None
    ngram_buckets: int | None
    ngram_dim: int | None
    match_lengths: Sequence[int] | None
    match_span: int | None
    documents: bool | None
    fixed_share: float | None


class StepFields(TypedDict, total=False):
    """The fields of a TrainConfig that `Trainer`, which is given its windows, looks at."""

    steps: int | None
    learning_rate: float | None
    beta1: float | None
    beta2: float | None
    epsilon: float | None
    weight_decay: float | None
    clip_norm: float | None
    warmup_steps: int | None
    schedule: str | None
    recompute: bool | None
    min_lr_ratio: float | None
    table_lr_scale: float | None
    dropout: float | Literal["auto"] | None
    locked_dropout: float | Literal["auto"] | None
    input_noise: float | Literal["auto"] | None
    max_spectral_radius: float | None


class TrainFields(StepFields, total=False):
    seq_len: int | None
    batch_size: int | None
    sampling: str | None
    cold_fraction: float | None
    seed: int | None


#: The fields that may be "auto", and the number that this is stored as.
AUTO_FIELDS = tuple(f.name for f in fields(TrainConfig) if f.metadata["auto"])
AUTO = -1.0


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


def override(
    function: Any, keywords: Any, config: Config | TrainConfig, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of `config`, with those that a function was `given` in their place unless they are
    None. Where they take away the head, its bias goes with it unless it was given. Raises TypeError
    for a name that is not in `keywords`, the function's TypedDict."""
    check_keywords(function, given, keywords.__annotations__)
    overrides = {k: v for k, v in given.items() if v is not None}
    values = {**asdict(config), **overrides}
    for name in AUTO_FIELDS:
        if isinstance(values.get(name), str):
            if values[name] != "auto":
                raise TypeError(f'{name} must be a number or "auto", got {values[name]!r}')
            values[name] = AUTO
    if values.get("head_bias") is True and overrides and "head_bias" not in overrides:
        values["head_bias"] = _core.has_head(values) or not _core.has_head(asdict(config))
    return values
