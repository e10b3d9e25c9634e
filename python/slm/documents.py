"""Texts that are several documents: lists, files, lines and JSON Lines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from slm import _core
from slm.encodings import note_on
from slm.errors import ConfigError, FormatError
from slm.text import ByteArray, Text, check_array, file_name, refuse_file_names, to_array

Corpus: TypeAlias = ByteArray | _core.Documents

MODES = '"auto", "none", "files", "lines" or "jsonl:FIELD"'


def read_corpus(
    text: Text, documents: str, what: str = "text", encoding: str | None = None
) -> Corpus:
    """The bytes of a text, or its documents where it is several, as `Model.train` explains."""
    mode, field = _parse_mode(documents)
    if mode == "none" or (mode == "auto" and not _is_several(text)):
        return to_array(text, what, encoding)
    return _collect(list(_parts(text, what)), mode, field, encoding)


def num_bytes(corpus: Corpus) -> int:
    return corpus.num_bytes if isinstance(corpus, _core.Documents) else corpus.size


def read_documents(
    text: Text, documents: str, what: str, encoding: str | None = None
) -> _core.Documents:
    """The same, where a single text is a document, too."""
    mode, field = _parse_mode(documents)
    return _collect(list(_parts(text, what)), mode, field, encoding)


def _collect(
    parts: list[tuple[str, Text]], mode: str, field: str, encoding: str | None
) -> _core.Documents:
    refuse_file_names(parts)
    collected = _core.Documents()
    for name, part in parts:
        if isinstance(part, Path) and part.is_file() and part.stat().st_size == 0:
            continue  # load_text would refuse it
        array = to_array(part, name, encoding, allow_file_name=True)
        check_array(array, name)
        if mode == "lines":
            collected.add_lines(array)
        elif mode == "jsonl":
            _add_json_lines(collected, array, field, name)
        else:
            collected.add(array)
    return collected


def _add_json_lines(collected: _core.Documents, array: ByteArray, field: str, name: str) -> None:
    try:
        collected.add_json_lines(array, field, name)
    except FormatError as error:
        note = note_on(array)
        if not note:
            raise
        raise FormatError(f"{error}; {note}") from None


def _is_several(text: Text) -> bool:
    """Whether it may be several texts, even if it is one: that must not depend on their number."""
    return isinstance(text, (list, tuple)) or (
        isinstance(text, os.PathLike) and os.path.isdir(file_name(text))
    )


def _parts(text: Text, what: str) -> Iterator[tuple[str, Text]]:
    """Every text in nested lists and every file in folders, with its name for messages."""
    if isinstance(text, (list, tuple)):
        for i, part in enumerate(text):
            yield from _parts(part, f"{what}[{i}]")
    elif isinstance(text, os.PathLike):
        for file in map(os.fsdecode, _core.text_files([file_name(text)])):
            yield file, Path(file)
    else:
        yield what, text


def _parse_mode(documents: str) -> tuple[str, str]:
    if not isinstance(documents, str):
        raise TypeError(f"documents must be a str, got {type(documents).__name__}")
    mode, _, field = documents.partition(":")
    if documents in ("auto", "none", "files", "lines") or (mode == "jsonl" and field):
        return mode, field
    raise ConfigError(f"documents is {documents!r}, but must be {MODES}")
