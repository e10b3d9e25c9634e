"""Sampling of text: the options of Model.generate and Model.stream, and their implementation."""

from __future__ import annotations

import codecs
import operator
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypedDict, TypeVar, Union

from slm import _core
from slm.errors import ConfigError
from slm.fields import check_keywords, defaults_from, option
from slm.text import encode

Stop: TypeAlias = Union[str, bytes, "list[str | bytes]", "tuple[str | bytes, ...]", None]
LogitBias: TypeAlias = Union["Mapping[int | str | bytes, float]", None]
AnyText = TypeVar("AnyText", str, bytes)
Prompts: TypeAlias = Union["list[AnyText]", "tuple[AnyText, ...]"]

#: The values of `allowed` that are no text: the bytes of the model's training text, and all bytes.
SEEN, ANY = "seen", "any"


@dataclass(frozen=True)
@defaults_from(_core.sample_option_fields())
class SampleOptions:
    """How a byte is sampled from the model's distribution, and where a text ends."""

    temperature: float = option("softmax temperature, which divides the logits; 0: greedy decoding")
    top_p: float = option(
        "nucleus sampling: the smallest set of bytes with cumulative probability at least this; "
        "1: all bytes"
    )
    top_k: int = option("sample from this many most probable bytes; 0: all bytes")
    min_p: float = option(
        "sample from bytes at least this times as probable as the most probable one; 0: all bytes"
    )
    repetition_penalty: float = option(
        "divides the logits of bytes that the text already has where they are above 0, and else "
        "multiplies them; 1: no penalty"
    )
    logit_bias: LogitBias = option(  # noqa: RUF009
        "what is added to the logits of some bytes, a dict by byte (an int, or a str or bytes of "
        "one byte); -inf bans the byte",
        default=None,
    )
    allowed: str | bytes | None = option(
        'the bytes that may be sampled, as a str or bytes; "seen": those of the model\'s training '
        'text, if they are known (`Model.seen_bytes`); "any" or None: all. The letters of these '
        'two words are b"seen" and b"any"',
        default=SEEN,
    )
    stop: Stop = option(  # noqa: RUF009
        "stop sequences, one or several str or bytes; the text ends before the first of them",
        default=None,
    )
    include_stop: bool = option("keep the stop sequence at the end of the text")
    ignore_end: bool = option("never sample the end of a document")
    seed: int | None = option("the same seed gives the same text; None: a random one", default=None)


class SampleFields(TypedDict, total=False):
    """The same options as keywords, for type checkers."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    logit_bias: LogitBias
    allowed: str | bytes | None
    stop: Stop
    include_stop: bool
    ignore_end: bool
    seed: int | None


@dataclass(frozen=True)
class Sample(Generic[AnyText]):
    """A text that was sampled, and why it ended."""

    text: AnyText
    #: "length" at `max_bytes`, "stop" at a stop sequence, "end" where the model ended the document
    finish_reason: str
    #: the stop sequence that ended it, or None
    stop: AnyText | None


class Stream(Iterator[AnyText]):
    """An iterator of the pieces of a text. After the last piece it knows why the text ended."""

    def __init__(self, generator: _core.Generator, pieces: Iterator[AnyText], as_str: bool):
        self._generator = generator
        self._pieces: Iterator[AnyText] = pieces
        self._as_str = as_str

    def __next__(self) -> AnyText:
        return next(self._pieces)

    @property
    def finish_reason(self) -> str | None:
        """As in `Sample`; None before the end."""
        return self._generator.finish_reason

    @property
    def stop(self) -> AnyText | None:
        """The stop sequence that ended the text, or None."""
        return _as_prompt(self._generator.stop, self._as_str) or None


def sample_options(function: Any, given: SampleFields) -> SampleOptions:
    """The options that `function` was given as keywords."""
    check_keywords(function, given, SampleFields.__annotations__)
    return SampleOptions(**given)


def generate_samples(
    model: _core.Model,
    prompts: list[Any],
    max_bytes: int,
    num_samples: int,
    include_prompt: bool,
    options: SampleOptions,
    *,
    whole_characters: bool | None = None,
) -> list[list[Sample[Any]]]:
    """`num_samples` samples of each prompt, of the prompt's type.

    whole_characters: None is True for prompts that are str, and False for bytes."""
    encoded = [encode(prompt, "prompt") for prompt in prompts]
    kinds = {isinstance(prompt, str) for prompt in prompts}
    if len(kinds) == 2:
        raise TypeError("the prompts must be all str or all bytes")
    as_str = kinds == {True}
    generator = _generator(model, options, as_str if whole_characters is None else whole_characters)
    sampled = iter(generator.generate_batch(encoded, max_bytes, num_samples))
    samples = []
    for prompt in encoded:
        before = prompt if include_prompt else b""
        samples.append(
            [
                Sample(_as_prompt(before + text, as_str), reason, _as_prompt(stop, as_str) or None)
                for text, reason, stop in (next(sampled) for _ in range(num_samples))
            ]
        )
    return samples


def stream_text(
    model: _core.Model,
    prompt: str | bytes,
    max_bytes: int,
    include_prompt: bool,
    options: SampleOptions,
    *,
    whole_characters: bool | None = None,
) -> Stream[Any]:
    """The pieces of one text. The prompt is read here, not when the first piece is asked for."""
    as_str = isinstance(prompt, str)
    generator = _generator(model, options, as_str if whole_characters is None else whole_characters)
    prompt_bytes = encode(prompt, "prompt")
    generator.start(prompt_bytes, max_bytes)
    pieces = _pieces(generator, prompt_bytes if include_prompt else b"")
    return Stream(generator, _decode(pieces) if as_str else pieces, as_str)


def _as_prompt(text: bytes, as_str: bool) -> Any:
    """Where the prompt is a str, bytes that are not UTF-8 become U+FFFD."""
    return text.decode(errors="replace") if as_str else text


def _generator(
    model: _core.Model, options: SampleOptions, whole_characters: bool
) -> _core.Generator:
    stop, seed = options.stop, options.seed
    if stop is None:
        stop = []
    elif isinstance(stop, (str, bytes)):
        stop = [stop]
    elif not isinstance(stop, (list, tuple)):
        raise TypeError(f"stop must be a str, bytes or a list of them, got {type(stop).__name__}")
    values = dict(vars(options))
    values["stop"] = [encode(s, "stop") for s in stop]
    values["seed"] = int.from_bytes(os.urandom(8), "little") if seed is None else seed
    values["allowed"] = _allowed(options.allowed)
    values["logit_bias"] = _logit_bias(options.logit_bias)
    return _core.Generator(model, values, whole_characters)


def _allowed(allowed: str | bytes | None) -> bytes | None:
    """None stands for the bytes of the training text in C++, and for all bytes in Python."""
    if allowed == SEEN:
        return None
    if allowed is None or allowed == ANY:
        return bytes(range(256))
    return encode(allowed, "allowed")


def _logit_bias(logit_bias: LogitBias) -> dict[int, float]:
    if logit_bias is None:
        return {}
    if not isinstance(logit_bias, Mapping):
        raise TypeError(f"logit_bias must be a dict, got {type(logit_bias).__name__}")
    keys: dict[int, Any] = {}
    for key in logit_bias:
        byte = _byte(key)
        if byte in keys:
            raise ConfigError(
                f"logit_bias has two values for byte {byte}, by the keys {keys[byte]!r} and {key!r}"
            )
        keys[byte] = key
    return {byte: logit_bias[key] for byte, key in keys.items()}


def _byte(key: int | str | bytes) -> int:
    if isinstance(key, (str, bytes)):
        encoded = encode(key, "a key of logit_bias")
        if len(encoded) != 1:
            raise ConfigError(
                f"a key of logit_bias is {key!r}, which has {len(encoded)} bytes, but must have one"
            )
        return encoded[0]
    try:
        byte = operator.index(key)
    except TypeError:
        raise TypeError(f"a key of logit_bias must be an int, str or bytes, got {key!r}") from None
    if not 0 <= byte <= 255:
        raise ConfigError(f"a key of logit_bias is {byte}, but must be a byte, from 0 to 255")
    return byte


def _pieces(generator: _core.Generator, prompt: bytes) -> Iterator[bytes]:
    if prompt:
        yield prompt
    while piece := generator.next():
        yield piece


def _decode(pieces: Iterator[bytes]) -> Iterator[str]:
    """Whole characters: the bytes of one that is not complete wait for the next piece."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
