"""Texts: conversion of all accepted kinds to bytes, and the bundled corpus."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from itertools import islice
from typing import TypeAlias, Union

import numpy as np
import numpy.typing as npt

from slm import _core
from slm.errors import ConfigError

ByteArray: TypeAlias = npt.NDArray[np.uint8]
Path: TypeAlias = "os.PathLike[str]"
Text: TypeAlias = Union[str, bytes, ByteArray, Path, "Sequence[Text]"]


def load_text(*paths: str | Path, encoding: str | None = None) -> ByteArray:
    """The bytes of files, joined in the order given, as a read-only array (num_bytes,) of uint8.

    A folder stands for the `.txt` files in it, at any depth, in the order of their names. A single
    file is memory-mapped, so that it may be larger than memory.

    encoding: the encoding of the files, such as "latin-1" or "utf-16"; they are read into memory
    and converted to UTF-8. None takes the bytes as they are.

    Raises FileNotFoundError, PermissionError or another OSError that names the path, and
    ConfigError where there is no byte at all or bytes are none of the encoding's characters.
    """
    names = [file_name(path) for path in paths]
    if encoding is None:
        return _core.load_text(names)
    parts = []
    for name in _core.text_files(names):
        with open(name, "rb") as file:
            parts.append(decode(file.read(), encoding, repr(os.fsdecode(name))))
    text = b"".join(parts)
    if not text:
        raise ConfigError(f"the text is empty: {names[0]!r} has no byte")
    return np.frombuffer(text, np.uint8)


@lru_cache(maxsize=1)
def sample_text() -> ByteArray:
    """The corpus that comes with slm, as a read-only array (1115394,) of uint8: 40,000 lines of
    Shakespeare, known as tinyshakespeare."""
    packed = resources.files("slm").joinpath("data/tinyshakespeare.txt.gz").read_bytes()
    return np.frombuffer(gzip.decompress(packed), np.uint8)


def file_name(path: str | Path) -> bytes:
    """A path as the library takes it. System calls would cut it off at a NUL byte and open another
    file."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ConfigError(f"the path {os.fsdecode(name)!r} has a NUL byte, which no file name can")
    return name


def to_array(
    text: Text, what: str = "text", encoding: str | None = None, allow_file_name: bool = False
) -> ByteArray:
    """A text as an array (num_bytes,) of uint8, without a copy where possible. `encoding` is that
    of all that is not a str; None takes bytes as they are. `allow_file_name`: a str is a text even
    if it is the name of a file."""
    if isinstance(text, str):
        if not allow_file_name:
            refuse_file_names([(what, text)])
        return np.frombuffer(encode(text, what), np.uint8)
    if isinstance(text, bytes):
        return np.frombuffer(text if encoding is None else decode(text, encoding, what), np.uint8)
    if isinstance(text, os.PathLike):
        return load_text(text, encoding=encoding)
    if isinstance(text, np.ndarray):
        if encoding is None:
            return text  # its dtype and shape are checked where it is used
        check_array(text, what)
        return np.frombuffer(decode(text, encoding, what), np.uint8)
    if isinstance(text, (list, tuple)):
        paths = [part for part in text if isinstance(part, os.PathLike)]
        if paths and len(paths) == len(text):
            return load_text(*paths, encoding=encoding)
        named = [(f"{what}[{i}]", part) for i, part in enumerate(text)]
        if not allow_file_name:
            refuse_file_names(named)
        parts = [to_array(part, name, encoding, allow_file_name=True) for name, part in named]
        for i, part in enumerate(parts):
            check_array(part, named[i][0])
        return np.concatenate(parts) if parts else np.empty(0, np.uint8)
    raise TypeError(
        f"{what} must be a str, bytes, an array of uint8, a pathlib.Path to a file or a folder, "
        f"or a list of those, got {type(text).__name__}"
    )


def encode(text: str | bytes, what: str) -> bytes:
    """The UTF-8 of a str; bytes as they are."""
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str or bytes, got {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{what} has a lone surrogate at index {error.start}, which UTF-8 cannot encode"
        ) from None


def decode(data: bytes | ByteArray, encoding: str, what: str) -> bytes:
    """The UTF-8 of a text in another encoding. Raises ConfigError for an unknown one, and for
    bytes that are none of its characters."""
    if not isinstance(encoding, str):
        raise TypeError(f"encoding must be a str or None, got {type(encoding).__name__}")
    try:
        return bytes(data).decode(encoding).encode()
    except LookupError:
        raise ConfigError(
            f"encoding is {encoding!r}, but must be a text encoding that Python knows, such as "
            '"latin-1", "utf-16" or "shift_jis"'
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{what} is not {encoding}: byte 0x{error.object[error.start]:02x} at offset "
            f"{error.start} cannot be decoded ({error.reason})"
        ) from None
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"{what} in {encoding} has a lone surrogate at character {error.start}, which UTF-8 "
            "cannot encode"
        ) from None


def check_array(array: ByteArray, what: str) -> None:
    if array.dtype != np.uint8:
        raise TypeError(f"{what} must be an array of uint8, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ConfigError(f"{what} must have shape (num_bytes,), got {array.shape}")


def refuse_file_names(named: Iterable[tuple[str, Text]]) -> None:
    """Paths given as str would silently be trained on as texts of a few bytes. Raises ConfigError
    if each str of these texts, which have names for messages, is the name of a file: one of many
    may be so by chance."""
    first = list(islice(((what, text) for what, text in named if isinstance(text, str)), 8))
    if first and all(_names_file(text) for _, text in first):
        what, text = first[0]
        raise ConfigError(
            f"{what} is the str {text!r}, which names a file: "
            f"pass pathlib.Path({text!r}) for what is in it, or bytes for the name itself"
        )


def _names_file(text: str) -> bool:
    return 0 < len(text) < 4096 and not any(c in text for c in "\n\0") and os.path.isfile(text)
