"""Model: parameters, loss, gradients, state, scores, files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import numpy as np
import numpy.typing as npt

from slm import _core
from slm.config import Config, Preset, TrainConfig, override
from slm.config import preset as find_preset
from slm.errors import ConfigError
from slm.generate import generate, stream
from slm.text import ByteArray, Text, file_name, to_array
from slm.train import train

FloatArray = npt.NDArray[np.float32]

BUNDLED_MODEL = str(resources.files("slm").joinpath("data/english.safetensors"))


@dataclass(frozen=True)
class Score:
    """What a text costs under a model, by the protocol of docs/evaluation.md."""

    nats_per_byte: float
    bits_per_byte: float
    perplexity: float  #: per byte, exp(nats_per_byte)
    num_bytes: int
    log_probs: FloatArray = field(repr=False)  #: (num_bytes,) natural logarithms, or () bytes


class Model:
    """A byte-level language model.

    `preset` is a name of `slm.presets()` or a `Preset`; the keywords that are fields of `Config`
    override its fields. Initial values depend on `seed` alone.

    device: "cpu", "cuda", or "auto", which is "cuda" where that can be used. threads: None for one
    per core that this process may use; results do not depend on it. precision: "float32", or what
    matrix products multiply is rounded: to bfloat16 with "bf16", which needs a CPU with AVX512-BF16
    or a CUDA device, or to TF32 with "tf32", on CUDA devices alone. "auto" is "bf16" on CPUs where
    that is known to be faster, and "float32" elsewhere. Parameters, sums and files stay float32.

    Methods that do not change the model may run on several threads at once, each with its own
    State.

    Raises ConfigError for a value out of range, DeviceError for a device or a precision that is not
    here.
    """

    def __init__(
        self,
        preset: str | Preset = _core.default_preset,
        *,
        cell: str | None = None,
        embed_dim: int | None = None,
        state_dim: int | None = None,
        num_layers: int | None = None,
        init: str | None = None,
        residual: bool | None = None,
        norm: str | None = None,
        mlp_dim: int | None = None,
        tie_embeddings: bool | None = None,
        ngram_orders: Sequence[int] | None = None,
        ngram_buckets: int | None = None,
        ngram_dim: int | None = None,
        match_lengths: Sequence[int] | None = None,
        match_span: int | None = None,
        seed: int = 0,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
    ) -> None:
        if isinstance(preset, str):
            preset = find_preset(preset)
        elif not isinstance(preset, Preset):
            raise TypeError(f"preset must be a name or a Preset, got {type(preset).__name__}")
        config = override(
            preset.config,
            {
                "cell": cell,
                "embed_dim": embed_dim,
                "state_dim": state_dim,
                "num_layers": num_layers,
                "init": init,
                "residual": residual,
                "norm": norm,
                "mlp_dim": mlp_dim,
                "tie_embeddings": tie_embeddings,
                "ngram_orders": ngram_orders,
                "ngram_buckets": ngram_buckets,
                "ngram_dim": ngram_dim,
                "match_lengths": match_lengths,
                "match_span": match_span,
            },
        )
        train_config = override(preset.train_config, {})
        self._core = _core.Model(config, train_config, seed, device, threads, precision)

    @property
    def config(self) -> Config:
        """The model's shape."""
        return Config(**self._core.config)

    @property
    def train_config(self) -> TrainConfig:
        """How the model was trained, or how its preset says to. `train` starts from it."""
        return TrainConfig(**self._core.train_config)

    @property
    def device(self) -> str:
        """Where it computes: "cpu" or "cuda"."""
        return self._core.device

    @property
    def precision(self) -> str:
        """What matrix products multiply: "float32", "bf16" or "tf32"."""
        return self._core.precision

    @property
    def num_parameters(self) -> int:
        return self._core.num_parameters

    @property
    def memory(self) -> dict[str, int]:
        """Bytes, planned from the configs: "weights" (with the copies that the kernels read),
        "optimizer" and "window" (both while training), "state" (of one text in generation)."""
        return self._core.memory

    @property
    def parameters(self) -> dict[str, FloatArray]:
        """A copy of every parameter by name: read-only float32, shapes as docs/model.md lists."""
        return self._core.parameters()

    def set_parameters(self, values: Mapping[str, npt.ArrayLike]) -> None:
        """Sets the parameters that are named, and no other.

        Raises ConfigError for an unknown name, another shape or a value that is not finite in
        float32, and TypeError for what is not a number; then no parameter has changed.
        """
        shapes = dict(self._core.tensors)
        checked = {name: _parameter(name, value, shapes) for name, value in values.items()}
        for name, array in checked.items():
            self._core.set_parameter(name, array)

    def loss(
        self, inputs: ByteArray, targets: ByteArray, state: _core.State | None = None
    ) -> float:
        """Mean cross-entropy in nats of `targets` (T, B) uint8 after `inputs` (T, B) uint8.

        With a state, the texts start from it, and it moves on by T bytes.
        """
        return self._core.loss(inputs, targets, state)

    def logits(self, inputs: ByteArray, state: _core.State | None = None) -> FloatArray:
        """Logits (T, B, 256) float32 of the byte after each of `inputs` (T, B) uint8.

        With a state, the texts start from it, and it moves on by T bytes.
        """
        return self._core.logits(inputs, state)

    def gradients(
        self, inputs: ByteArray, targets: ByteArray, state: _core.State | None = None
    ) -> tuple[float, dict[str, FloatArray]]:
        """The loss, and its gradient by every parameter: full backpropagation through the window,
        none into the state before it."""
        return self._core.gradients(inputs, targets, state)

    def new_state(self, batch_size: int = 1) -> _core.State:
        """The state of `batch_size` texts before their first byte."""
        return self._core.new_state(batch_size)

    def step(self, tokens: ByteArray, state: _core.State) -> FloatArray:
        """Feeds one byte to each text: tokens (B,) uint8 in, logits (B, 256) float32 of the next
        byte out. `state` moves on in place."""
        return self._core.step(tokens, state)

    def score(
        self, text: Text, *, log_probs: bool = True, adapt: bool = False, keep: bool = False
    ) -> Score:
        """What `text` costs, each byte scored once. The result does not depend on threads.

        Without `log_probs` that array is empty, and memory does not grow with the text.
        adapt: read the text as one stream and learn from it on the way; each byte is scored before
        it is learned from. The model itself is left as it was, unless `keep` is True.
        """
        if keep and not adapt:
            raise ConfigError("keep=True keeps what adapt=True learns; give both")
        return Score(**self._core.score(to_array(text), log_probs, adapt, keep))

    def save(self, path: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Writes the model to one safetensors file, which is never half-written: it is written
        under another name in the same folder, then renamed. Raises OSError.

        dtype: "float32" keeps every bit; "float16" halves the file; "int8" stores a scale for each
        row of a matrix and quarters it. Whatever it was, a loaded model computes in float32.
        """
        if not isinstance(dtype, str):
            raise TypeError(f"dtype must be a str, got {type(dtype).__name__}")
        self._core.save(file_name(path), dtype)

    train = train
    generate = generate
    stream = stream

    def __repr__(self) -> str:
        return f"<slm.Model {self.config}, {self.num_parameters:,} parameters, {self.device}>"


def load(
    path: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: str = "float32",
) -> Model:
    """Reads a model that `Model.save` or `slm train` wrote; without a path, the model of general
    English that comes with slm.

    Raises OSError (FileNotFoundError, ...) if the file cannot be read, FormatError if it is not a
    model or is damaged.
    """
    if path is None:
        path = bundled_model()
        if path is None:
            raise FileNotFoundError(
                "there is no bundled model in this build of slm: name a model's file, "
                "or train one with slm.Model().train(text)"
            )
    model = Model.__new__(Model)
    model._core = _core.Model.load(file_name(path), device, threads, precision)
    return model


def bundled_model() -> str | None:
    """The file of the model that comes with slm; None where the build has none."""
    return BUNDLED_MODEL if os.path.isfile(BUNDLED_MODEL) else None


def _parameter(
    name: str, value: npt.ArrayLike, shapes: Mapping[str, tuple[int, ...]]
) -> FloatArray:
    if name not in shapes:
        raise ConfigError(f"there is no parameter {name!r}; there are {', '.join(shapes)}")
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"parameter {name!r} must be an array of numbers, got dtype {array.dtype}")
    if array.shape != shapes[name]:
        raise ConfigError(f"parameter {name!r} must have shape {shapes[name]}, got {array.shape}")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise ConfigError(f"parameter {name!r} has a value that is not finite in float32")
    return array
