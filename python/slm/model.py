"""Model: parameters, loss, gradients, state, training, text, scores, files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from slm import _core
from slm.bundled import bundled_model
from slm.config import Config, ConfigFields, Preset, TrainConfig, TrainFields, override
from slm.config import preset as find_preset
from slm.errors import ConfigError
from slm.fields import with_fields
from slm.generate import (
    AnyText,
    Prompts,
    Sample,
    SampleFields,
    SampleOptions,
    Stream,
    generate_samples,
    sample_options,
    stream_text,
)
from slm.history import Callback, History
from slm.parameters import FloatArray, checked_parameter
from slm.score import Score, score_texts, text_array
from slm.text import ByteArray, Text, check_array, encode, file_name, to_array
from slm.train import check_seconds, run_training

if TYPE_CHECKING:
    from typing_extensions import Unpack


@with_fields(ConfigFields, Config)
class Model:
    """A byte-level language model.

    preset: a name in `slm.presets()`, or a `Preset`. seed: random seed of the initial values.

    device: "cpu", "cuda", or "auto": "cuda" where it can be used. threads: None is one per core
    that this process may use; results do not depend on it. precision: what the inputs of matrix
    products are rounded to: "bf16" (bfloat16) needs a CPU with AVX512-BF16 or a CUDA device, "tf32"
    a CUDA device; "float32" does not round; "auto" is "bf16" on CPUs where that is known to be
    faster, else "float32". Parameters, sums and files are float32 in any case.

    The other arguments are fields of `Config`; None takes the preset's value.

    {fields}

    Methods that do not change the model may run on several threads at once, each with its own
    State. Raises ConfigError for a value out of range, DeviceError for a device or a precision that
    is not available.
    """

    def __init__(
        self,
        preset: str | Preset = _core.default_preset,
        *,
        seed: int = 0,
        device: str = "auto",
        threads: int | None = None,
        precision: str = "float32",
        **fields: Unpack[ConfigFields],
    ) -> None:
        if isinstance(preset, str):
            preset = find_preset(preset)
        elif not isinstance(preset, Preset):
            raise TypeError(f"preset must be a name or a Preset, got {type(preset).__name__}")
        config = override(Model, ConfigFields, preset.config, fields)
        train_config = override(Model.train, TrainFields, preset.train_config, {})
        self._core = _core.Model(config, train_config, seed, device, threads, precision)

    @property
    def config(self) -> Config:
        """The model's shape and initial values."""
        return Config(**self._core.config)

    @property
    def train_config(self) -> TrainConfig:
        """How `train` and `Trainer` train where they are not told otherwise: as the preset or the
        file says, until another TrainConfig is assigned. Training does not change it."""
        return TrainConfig(**self._core.train_config)

    @train_config.setter
    def train_config(self, value: TrainConfig) -> None:
        if not isinstance(value, TrainConfig):
            raise TypeError(f"train_config must be a TrainConfig, got {type(value).__name__}")
        self._core.set_train_config(override(Model.train, TrainFields, value, {}))

    @property
    def last_run(self) -> TrainConfig | None:
        """The config of the latest call of `train` as it was used (`History.config`): with the
        planned steps, the shortened window and warm-up, and the dropout that was chosen. None if
        there was none. The file keeps it."""
        config = self._core.last_run
        return None if config is None else TrainConfig(**config)

    @property
    def device(self) -> str:
        """The device that it runs on: "cpu" or "cuda"."""
        return self._core.device

    @property
    def precision(self) -> str:
        """The precision of the inputs of matrix products: "float32", "bf16" or "tf32"."""
        return self._core.precision

    @property
    def num_parameters(self) -> int:
        """The number of values of all parameters."""
        return self._core.num_parameters

    @property
    def seen_bytes(self) -> bytes | None:
        """The bytes, in rising order, of the texts that `train` has trained the model on, which its
        file keeps. None where they are not known: the model is untrained, was trained with
        `slm.Trainer` alone, or its parameters or file are from elsewhere."""
        return self._core.seen_bytes

    @property
    def memory(self) -> dict[str, int]:
        """Memory in bytes, planned from the configs: "weights" (with the copies that the kernels
        read), "optimizer" and "window" (both during training), "state" (of one text in
        generation)."""
        return self._core.memory

    @property
    def parameters(self) -> dict[str, FloatArray]:
        """A copy of every parameter by name: read-only float32, with the shapes that docs/model.md
        lists."""
        return self._core.parameters()

    def set_parameters(self, values: Mapping[str, npt.ArrayLike]) -> None:
        """Sets the parameters that are named, and no other.

        Raises ConfigError for an unknown name, another shape or a value that is not finite in
        float32, and TypeError for values that are not numbers; then no parameter has changed.
        """
        tensors = self._core.tensors
        checked = {name: checked_parameter(name, value, tensors) for name, value in values.items()}
        for name, array in checked.items():
            self._core.set_parameter(name, array)

    def loss(
        self, inputs: ByteArray, targets: ByteArray, state: _core.State | None = None
    ) -> float:
        """Mean cross-entropy in nats of `targets` (T, B) uint8 after `inputs` (T, B) uint8.

        With a state, the texts start from it, and it advances by T bytes.
        """
        return self._core.loss(inputs, targets, state)

    def logits(self, inputs: ByteArray, state: _core.State | None = None) -> FloatArray:
        """Logits (T, B, 256) float32 of the byte after each of `inputs` (T, B) uint8.

        With a state, the texts start from it, and it advances by T bytes.
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
        byte out. `state` advances in place."""
        return self._core.step(tokens, state)

    def score(
        self, text: Text, *, log_probs: bool = True, adapt: bool = False, keep: bool = False
    ) -> Score:
        """Cross-entropy of `text` under the model. The result does not depend on threads.

        log_probs: also return the log-probability of every byte; without, memory does not grow
        with the text.
        adapt: dynamic evaluation: read the text as one stream, and update the weights with each
        window after it is scored. keep: keep those weights; else the model is left as it was.
        """
        if keep and not adapt:
            raise ConfigError("keep=True keeps what adapt=True learns; give both")
        return Score(**self._core.score(to_array(text), log_probs, adapt, keep))

    def score_many(self, texts: Iterable[Text], *, log_probs: bool = True) -> list[Score]:
        """The score of each text by itself, in their order: what `score` gives for it alone, but
        many short texts are computed as one batch.

        texts: any iterable of what `score` takes. A text may be empty; its score has 0 bytes and is
        NaN. log_probs: also return the log-probability of every byte.
        """
        return score_texts(self._core, texts, log_probs)

    def log_probs(self, text: Text) -> FloatArray:
        """The natural logarithm of the probability of every byte of `text`: (num_bytes,) float32,
        `score(text).log_probs`. A text of no bytes has none."""
        array = text_array(text, "text")
        if array.size == 0:
            check_array(array, "text")
            return np.empty(0, np.float32)
        return self.score(array).log_probs

    def next_byte_probs(self, prefix: str | bytes = "") -> npt.NDArray[np.float64]:
        """The model's probabilities (256,) float64 of the byte after `prefix`, with nothing before
        it. They sum to 1. In a model of documents, the probability of a byte includes that of its
        escaped spelling, so that they sum to 1 less the probability that the document ends; a score
        counts one spelling only (docs/evaluation.md).
        """
        return self._core.next_byte_probs(encode(prefix, "prefix"))

    def save(self, path: str | os.PathLike[str], dtype: str = "float32") -> None:
        """Writes the model to one safetensors file, which is never half-written: it is written
        under another name in the same folder, then renamed. Raises OSError.

        dtype: "float32" keeps every bit; "float16" halves the file; "int8" stores a scale for each
        row of a matrix and quarters it. In any case, a loaded model computes in float32.
        """
        if not isinstance(dtype, str):
            raise TypeError(f"dtype must be a str, got {type(dtype).__name__}")
        self._core.save(file_name(path), dtype)

    @with_fields(TrainFields, TrainConfig)
    def train(
        self,
        text: Text | _core.Documents,
        *,
        documents: str = "auto",
        encoding: str | None = None,
        seconds: float | None = None,
        validation: float | Text | None = 0.1,
        eval_every: int = 0,
        patience: int = 0,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_seconds: float = 30,
        resume: bool = False,
        callback: Callback | None = None,
        progress: bool | None = None,
        **fields: Unpack[TrainFields],
    ) -> History:
        """Trains on a text or on documents, and leaves the model with the weights that were best on
        the validation text, or with the last ones where there is none.

        text: str, bytes, a 1-D uint8 array, a pathlib.Path to a file or to a folder of `.txt`
        files, or a list of those. A single file is memory-mapped.
        documents: what a document is. Each is read from a fresh state, and the model learns where
        it ends. "auto": if `text` is a list or a folder, each text or file in it, also a single
        one; any other text is read as one without an end. "files": that is a document, too.
        "lines": every line that is not empty. "jsonl:FIELD": every line is a JSON object whose
        string FIELD is a document. "none": everything is joined to one text. Empty documents are
        left out.
        encoding: the encoding of files, bytes and arrays, such as "latin-1" or "utf-16", which are
        converted to UTF-8; that of the validation text, too. None takes bytes as they are.
        seconds: wall time, with evaluation; give this or `steps`, or neither for the training
        config's steps.
        validation: the fraction of the text that is held out (at most 1 MiB), taken from its end,
        or of documents, some that the seed draws; or another text, or None. In a run on
        documents, another text is read as documents in the same way.
        eval_every: steps between evaluations; 0: about ten in the run.
        patience: early stopping after this many evaluations without a new best; 0: never.
        checkpoint: a file that is written every `checkpoint_seconds`, at the end and on Ctrl-C, and
        from which `resume=True` with the same arguments continues as if the run had never stopped.
        callback: called with a `Progress` after every step; returning False stops the run.
        progress: True shows progress on standard error: one live line on a terminal, else a line
        for every evaluation. None shows the live line on a terminal and nothing elsewhere.

        The other arguments are fields of `TrainConfig`; None takes the model's value
        (`model.train_config`).

        {fields}

        Notes, such as that the text is shorter than a window, are warnings (UserWarning). Raises
        ConfigError for a value out of range or an empty text, TrainingError where the loss is not
        finite or the run cannot be resumed, OSError for files.
        """
        config = override(Model.train, TrainFields, self.train_config, fields)
        check_seconds(seconds)
        if seconds is not None and (steps := fields.get("steps")) is not None:
            raise ConfigError(f"give steps ({steps}) or seconds ({seconds}), not both")
        if checkpoint is not None and not os.fspath(checkpoint):
            raise ConfigError("checkpoint is an empty path; None trains without one")
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be a function or None, got {type(callback).__name__}")
        options = {
            "seconds": 0.0 if seconds is None else seconds,
            "eval_every": eval_every,
            "patience": patience,
            "checkpoint": b"" if checkpoint is None else file_name(checkpoint),
            "checkpoint_seconds": checkpoint_seconds,
            "resume": resume,
        }
        return run_training(
            self._core, config, text, documents, encoding, validation, options, callback, progress
        )

    # fmt: off
    @overload
    def generate(
        self, prompt: str = "", max_bytes: int = 200, *, num_samples: None = None,
        include_prompt: bool = True, details: Literal[False] = False,
        **options: Unpack[SampleFields],
    ) -> str: ...
    @overload
    def generate(
        self, prompt: bytes, max_bytes: int = 200, *, num_samples: None = None,
        include_prompt: bool = True, details: Literal[False] = False,
        **options: Unpack[SampleFields],
    ) -> bytes: ...
    @overload
    def generate(
        self, prompt: str = "", max_bytes: int = 200, *, num_samples: int,
        include_prompt: bool = True, details: Literal[False] = False,
        **options: Unpack[SampleFields],
    ) -> list[str]: ...
    @overload
    def generate(
        self, prompt: bytes, max_bytes: int = 200, *, num_samples: int,
        include_prompt: bool = True, details: Literal[False] = False,
        **options: Unpack[SampleFields],
    ) -> list[bytes]: ...
    @overload
    def generate(
        self, prompt: Prompts[AnyText], max_bytes: int = 200, *, num_samples: None = None,
        include_prompt: bool = True, details: Literal[False] = False,
        **options: Unpack[SampleFields],
    ) -> list[AnyText]: ...
    @overload
    def generate(
        self, prompt: Prompts[AnyText], max_bytes: int = 200, *, num_samples: int,
        include_prompt: bool = True, details: Literal[False] = False,
        **options: Unpack[SampleFields],
    ) -> list[list[AnyText]]: ...
    @overload
    def generate(
        self, prompt: AnyText, max_bytes: int = 200, *, num_samples: None = None,
        include_prompt: bool = True, details: Literal[True], **options: Unpack[SampleFields],
    ) -> Sample[AnyText]: ...
    @overload
    def generate(
        self, prompt: AnyText, max_bytes: int = 200, *, num_samples: int,
        include_prompt: bool = True, details: Literal[True], **options: Unpack[SampleFields],
    ) -> list[Sample[AnyText]]: ...
    @overload
    def generate(
        self, prompt: Prompts[AnyText], max_bytes: int = 200, *, num_samples: None = None,
        include_prompt: bool = True, details: Literal[True], **options: Unpack[SampleFields],
    ) -> list[Sample[AnyText]]: ...
    @overload
    def generate(
        self, prompt: Prompts[AnyText], max_bytes: int = 200, *, num_samples: int,
        include_prompt: bool = True, details: Literal[True], **options: Unpack[SampleFields],
    ) -> list[list[Sample[AnyText]]]: ...
    # fmt: on
    @with_fields(SampleFields, SampleOptions, override=False)
    def generate(
        self,
        prompt: Any = "",
        max_bytes: int = 200,
        *,
        num_samples: int | None = None,
        include_prompt: bool = True,
        details: bool = False,
        **options: Unpack[SampleFields],
    ) -> Any:
        """Continues `prompt` by up to `max_bytes` bytes.

        prompt: a str, bytes, or a list or tuple of either, whose texts are generated as one batch
        and returned as a list. Each is the text that its prompt alone would give.
        num_samples: None returns one text for a prompt, a number a list of as many. Sample i does
        not depend on how many there are.
        include_prompt: whether the texts start with the prompt.
        details: return a `Sample` for each text, which also says why it ended.
        {fields}

        A str prompt gives str, where bytes that are not UTF-8 become U+FFFD, and no text ends
        within a character because of `max_bytes`. A bytes prompt gives bytes, cut off exactly at
        `max_bytes`. docs/sampling.md defines the options exactly.
        """
        chosen = sample_options(Model.generate, options)
        many = isinstance(prompt, (list, tuple))
        count = 1 if num_samples is None else num_samples
        samples = generate_samples(
            self._core, list(prompt) if many else [prompt], max_bytes, count, include_prompt, chosen
        )
        texts = [[s if details else s.text for s in of_prompt] for of_prompt in samples]
        results = texts if num_samples is not None else [text for (text,) in texts]
        return results if many else results[0]

    @overload
    def stream(
        self, prompt: str = "", max_bytes: int = 200, *, include_prompt: bool = True,
        **options: Unpack[SampleFields],
    ) -> Stream[str]: ...  # fmt: skip
    @overload
    def stream(
        self, prompt: bytes, max_bytes: int = 200, *, include_prompt: bool = True,
        **options: Unpack[SampleFields],
    ) -> Stream[bytes]: ...  # fmt: skip
    @with_fields(SampleFields, SampleOptions, override=False)
    def stream(
        self,
        prompt: str | bytes = "",
        max_bytes: int = 200,
        *,
        include_prompt: bool = True,
        **options: Unpack[SampleFields],
    ) -> Any:
        """The text that `generate` returns, as an iterator of pieces that come as they are sampled.

        Pieces of str are whole characters. The prompt, if included, is the first piece. The prompt
        is read and the options are checked at once, not at the first piece. After the last piece,
        `finish_reason` and `stop` of the iterator say why the text ended.

        {fields}
        """
        chosen = sample_options(Model.stream, options)
        return stream_text(self._core, prompt, max_bytes, include_prompt, chosen)

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
