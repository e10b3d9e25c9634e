"""Drawing text from a model: Model.generate and Model.stream."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, overload

from slm import _core
from slm.text import encode

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from slm.model import Model

    Stop: TypeAlias = str | bytes | list[str | bytes] | tuple[str | bytes, ...] | None

    class SampleKeywords(TypedDict, total=False):
        temperature: float
        top_p: float
        top_k: int
        min_p: float
        stop: Stop
        seed: int | None
        include_prompt: bool


@overload
def generate(
    self: Model,
    prompt: str = "",
    max_bytes: int = 200,
    *,
    num_samples: None = None,
    **options: Unpack[SampleKeywords],
) -> str: ...
@overload
def generate(
    self: Model,
    prompt: str = "",
    max_bytes: int = 200,
    *,
    num_samples: int,
    **options: Unpack[SampleKeywords],
) -> list[str]: ...
@overload
def generate(
    self: Model,
    prompt: bytes,
    max_bytes: int = 200,
    *,
    num_samples: None = None,
    **options: Unpack[SampleKeywords],
) -> bytes: ...
@overload
def generate(
    self: Model,
    prompt: bytes,
    max_bytes: int = 200,
    *,
    num_samples: int,
    **options: Unpack[SampleKeywords],
) -> list[bytes]: ...
def generate(
    self: Model,
    prompt: str | bytes = "",
    max_bytes: int = 200,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    stop: Stop = None,
    seed: int | None = None,
    num_samples: int | None = None,
    include_prompt: bool = True,
) -> Any:
    """Continues `prompt` by up to `max_bytes` bytes.

    temperature: below 1 more predictable, 0 always the most probable byte. top_k, top_p and min_p
    narrow the choice to the k most probable bytes, to the fewest whose probabilities add up to p,
    and to those at least min_p times as probable as the best (docs/sampling.md).
    stop: a str, bytes or several of them; the text ends before the first that appears.
    seed: the same seed gives the same text; None is a random one.
    num_samples: None gives one text, a number a list of that many. Sample i does not depend on it.

    A str prompt gives str, where bytes that are not UTF-8 become U+FFFD; a bytes prompt bytes.
    """
    generator = _generator(self, temperature, top_p, top_k, min_p, stop, seed)
    prompt_bytes = encode(prompt, "prompt")
    samples = generator.generate_samples(
        prompt_bytes, max_bytes, 1 if num_samples is None else num_samples
    )
    if include_prompt:
        samples = [prompt_bytes + sample for sample in samples]
    texts = samples if isinstance(prompt, bytes) else [s.decode(errors="replace") for s in samples]
    return texts[0] if num_samples is None else texts


@overload
def stream(
    self: Model, prompt: str = "", max_bytes: int = 200, **options: Unpack[SampleKeywords]
) -> Iterator[str]: ...
@overload
def stream(
    self: Model, prompt: bytes, max_bytes: int = 200, **options: Unpack[SampleKeywords]
) -> Iterator[bytes]: ...
def stream(
    self: Model,
    prompt: str | bytes = "",
    max_bytes: int = 200,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    top_k: int = 0,
    min_p: float = 0.0,
    stop: Stop = None,
    seed: int | None = None,
    include_prompt: bool = True,
) -> Any:
    """The same text as `generate`, as an iterator of pieces that come as they are drawn.

    Pieces of str are whole characters. The prompt, if included, is the first piece. Reading the
    prompt and checking the options happens at once, not at the first piece.
    """
    generator = _generator(self, temperature, top_p, top_k, min_p, stop, seed)
    prompt_bytes = encode(prompt, "prompt")
    generator.start(prompt_bytes, max_bytes)
    pieces = _pieces(generator, prompt_bytes if include_prompt else b"")
    return pieces if isinstance(prompt, bytes) else _decode(pieces)


def _generator(
    model: Model,
    temperature: float,
    top_p: float,
    top_k: int,
    min_p: float,
    stop: Stop,
    seed: int | None,
) -> _core.Generator:
    if stop is None:
        stop = []
    elif isinstance(stop, (str, bytes)):
        stop = [stop]
    elif not isinstance(stop, (list, tuple)):
        raise TypeError(f"stop must be a str, bytes or a list of them, got {type(stop).__name__}")
    options = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "stop": [encode(s, "stop") for s in stop],
        "seed": int.from_bytes(os.urandom(8), "little") if seed is None else seed,
    }
    return _core.Generator(model._core, options)


def _pieces(generator: _core.Generator, prompt: bytes) -> Iterator[bytes]:
    if prompt:
        yield prompt
    while piece := generator.next():
        yield piece


def _decode(pieces: Iterator[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for piece in pieces:
        if text := decoder.decode(piece):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text
