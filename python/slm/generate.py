"""Sampling of text: the options of Model.generate and Model.stream, and their implementation."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias, TypedDict, Union

from slm import _core
from slm.fields import check_keywords, defaults_from, option
from slm.text import encode

Stop: TypeAlias = Union[str, bytes, "list[str | bytes]", "tuple[str | bytes, ...]", None]


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
    stop: Stop = option(  # noqa: RUF009
        "stop sequences, one or several str or bytes; the text ends before the first of them",
        default=None,
    )
    seed: int | None = option("the same seed gives the same text; None: a random one", default=None)


class SampleFields(TypedDict, total=False):
    """The same options as keywords, for type checkers."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    stop: Stop
    seed: int | None


def sample_options(function: Any, given: SampleFields) -> SampleOptions:
    """The options that `function` was given as keywords."""
    check_keywords(function, given, SampleFields.__annotations__)
    return SampleOptions(**given)


def generate_texts(
    model: _core.Model,
    prompt: str | bytes,
    max_bytes: int,
    num_samples: int,
    include_prompt: bool,
    options: SampleOptions,
) -> list[str] | list[bytes]:
    """A str prompt gives str, where bytes that are not UTF-8 become U+FFFD; bytes give bytes."""
    generator = _generator(model, options)
    prompt_bytes = encode(prompt, "prompt")
    samples = generator.generate_samples(prompt_bytes, max_bytes, num_samples)
    if include_prompt:
        samples = [prompt_bytes + sample for sample in samples]
    return samples if isinstance(prompt, bytes) else [s.decode(errors="replace") for s in samples]


def stream_text(
    model: _core.Model,
    prompt: str | bytes,
    max_bytes: int,
    include_prompt: bool,
    options: SampleOptions,
) -> Iterator[str] | Iterator[bytes]:
    """The pieces of one text. The prompt is read here, not when the first piece is asked for."""
    generator = _generator(model, options)
    prompt_bytes = encode(prompt, "prompt")
    generator.start(prompt_bytes, max_bytes)
    pieces = _pieces(generator, prompt_bytes if include_prompt else b"")
    return pieces if isinstance(prompt, bytes) else _decode(pieces)


def _generator(model: _core.Model, options: SampleOptions) -> _core.Generator:
    stop, seed = options.stop, options.seed
    if stop is None:
        stop = []
    elif isinstance(stop, (str, bytes)):
        stop = [stop]
    elif not isinstance(stop, (list, tuple)):
        raise TypeError(f"stop must be a str, bytes or a list of them, got {type(stop).__name__}")
    values = asdict(options)
    values["stop"] = [encode(s, "stop") for s in stop]
    values["seed"] = int.from_bytes(os.urandom(8), "little") if seed is None else seed
    return _core.Generator(model, values)


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
