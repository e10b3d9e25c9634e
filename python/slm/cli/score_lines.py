"""slm score --lines: each line of files or of standard input is scored by itself."""

from __future__ import annotations

import argparse
import codecs
import os
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import BinaryIO

import numpy as np

import slm
from slm import _core
from slm.cli.options import message, open_model, plural, print_json, standard_input
from slm.encodings import note_on
from slm.text import file_name

# A batch of this size is read and scored at once: memory is bounded, and results come meanwhile.
BATCH_BYTES = 1 << 18
SHOWN_CHARACTERS = 100

_CONVERT = "convert it first: iconv -f {0} -t UTF-8 FILE"


def run(args: argparse.Namespace) -> None:
    names = [file for name in args.files for file in _files(name)]
    for name in names:  # none is scored unless all can be opened
        if not Path(name).is_fifo():  # which can be read only once
            _open(name).close()
    model = open_model(args)
    for name in names:
        with _open(name) as file:
            _score_file(args, model, name, file)


def _score_file(args: argparse.Namespace, model: slm.Model, name: str, file: BinaryIO) -> None:
    numbers = count(1)
    num_lines = num_bytes = 0
    nats = 0.0
    for lines in read_lines(file):
        if num_lines == 0:
            _note_encoding(args, name, lines)
        scores = model.score_many(lines, log_probs=False)
        for line, score in zip(lines, scores, strict=True):
            _print(args, name, next(numbers), line, score)
            num_lines += 1
            num_bytes += score.num_bytes
            if score.num_bytes > 0:
                nats += score.nats_per_byte * score.num_bytes
        sys.stdout.flush()
    mean = f"{nats / num_bytes:.4f}" if num_bytes > 0 else "-"
    bits = f"{nats / num_bytes / np.log(2):.4f}" if num_bytes > 0 else "-"
    message(
        args,
        f"{name}: {num_lines} {plural(num_lines, 'line')}, {num_bytes} "
        f"{plural(num_bytes, 'byte')} without their ends, "
        f"{mean} nats per byte, {bits} bits per byte",
    )


def _note_encoding(args: argparse.Namespace, name: str, lines: list[bytes]) -> None:
    """Whole lines, so that no character is cut."""
    if note := note_on(np.frombuffer(b"\n".join(lines), np.uint8), _CONVERT):
        message(args, f"note: {name}: {note}")


def _print(args: argparse.Namespace, name: str, number: int, line: bytes, score: slm.Score) -> None:
    if args.json:
        result = {
            "file": name,
            "line": number,
            "num_bytes": score.num_bytes,
            "nats_per_byte": score.nats_per_byte,
            "bits_per_byte": score.bits_per_byte,
            "perplexity": score.perplexity,
        }
        print_json(result)
    else:
        bits = f"{score.bits_per_byte:.4f}" if score.num_bytes > 0 else "-"
        print(f"{bits}\t{score.num_bytes}\t{name}:{number}\t{shown(line)}")


def shown(line: bytes) -> str:
    """The beginning of a line; what a terminal might obey, and what is not UTF-8, is escaped."""
    text = line[: 4 * SHOWN_CHARACTERS].decode(errors="backslashreplace")
    cut = text[:SHOWN_CHARACTERS] + "…" if len(text) > SHOWN_CHARACTERS else text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def read_lines(file: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of a file without their LF or CRLF, nor a byte order mark of UTF-8, as many at once
    as have come."""
    unfinished: list[bytes] = []
    mark = codecs.BOM_UTF8
    while data := file.read1(BATCH_BYTES):  # type: ignore[attr-defined]
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*unfinished, lines[0]]).removeprefix(mark)
            unfinished.clear()
            mark = b""
            yield [line.removesuffix(b"\r") for line in lines]
        if rest:
            unfinished.append(rest)
    if unfinished:
        yield [b"".join(unfinished).removeprefix(mark).removesuffix(b"\r")]


def _files(name: str) -> list[str]:
    """The file, or the .txt files of a folder."""
    return [name] if name == "-" else [*map(os.fsdecode, _core.text_files([file_name(name)]))]


def _open(name: str) -> BinaryIO:
    if name == "-":
        return os.fdopen(os.dup(standard_input().fileno()), "rb")
    return open(name, "rb")
