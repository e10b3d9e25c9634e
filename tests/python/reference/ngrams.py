"""The rows of the n-gram and match tables that a position has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .parameters import Bytes, Options

Rows = NDArray[np.int64]

MAX_ORDER = 8
MASK = 2**64 - 1


def ngram_row(ngram: bytes, buckets: int) -> int:
    """In Python's whole numbers. Two bytes are their own row. More are a number, the oldest byte
    highest, that the mixing steps of SplitMix64 spread over 64 bits, of which the low ones are the
    row."""
    z = int.from_bytes(ngram, "big")
    if len(ngram) == 2:
        return z
    z = (z + len(ngram) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return (z ^ (z >> 31)) % buckets


def match_row(text: bytes, length: int, span: int) -> int:
    """The row for the most recent earlier occurrence, within `span` bytes, of the last `length`
    bytes of a text; -1 where there is none."""
    text = text[-span - 1 :]
    wanted = text[len(text) - length :]
    at = text.rfind(wanted, 0, len(text) - 1) if len(text) > length else -1
    if at < 0:
        return -1
    surplus = 0
    while surplus < at and text[at - 1 - surplus] == text[len(text) - length - 1 - surplus]:
        surplus += 1
    kind = sum(surplus >= bound for bound in (1, 2, 4, 8, 16))
    return kind * 256 + text[at + length]


def ngram_rows(inputs: Bytes, read: Bytes, options: Options) -> dict[str, Rows]:
    """For each table the row of every position of `inputs` (T, B), of which `read` (S, B) came
    before; -1 where the n-gram would reach before the start of the text."""
    text = np.concatenate([read, inputs])
    result = {}
    for n in options.ngram_orders:
        rows = np.full(inputs.shape, -1)
        for b in range(inputs.shape[1]):
            column = text[:, b].tobytes()
            for end in range(max(n, len(read) + 1), len(text) + 1):
                rows[end - len(read) - 1, b] = ngram_row(
                    column[end - n : end], options.ngram_buckets
                )
        result[f"ngram.{n}.weight"] = rows
    for m in options.match_lengths:
        ends = range(len(read) + 1, len(text) + 1)
        result[f"match.{m}.weight"] = np.array(
            [
                [match_row(column[:end], m, options.match_span) for end in ends]
                for column in (text[:, b].tobytes() for b in range(inputs.shape[1]))
            ]
        ).T
    return result


def occurring(rows: dict[str, Rows]) -> dict[str, Rows]:
    """The rows of each table that occur, rising."""
    return {name: np.unique(table[table >= 0]) for name, table in rows.items()}
