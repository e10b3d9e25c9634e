"""What a text looks like that is not plain UTF-8: compressed data, or another encoding."""

from __future__ import annotations

import codecs
import re

import numpy as np

from slm import _core
from slm.text import ByteArray

#: How a file of each format begins, what it is, and what makes a text of it.
_FORMATS = (
    (b"\x1f\x8b\x08", "gzip data", "decompress it first: gunzip -k FILE"),
    (b"\xfd7zXZ\0", "xz data", "decompress it first: unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", "zstd data", "decompress it first: unzstd FILE"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first: 7z x FILE"),
    (b"PK\x03\x04", "a zip archive or an office document", "unpack it first, as with unzip FILE"),
    (b"%PDF-", "a PDF document", "extract its text first, as with pdftotext FILE"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "train on text files"),
    (b"\xff\xd8\xff", "a JPEG image", "train on text files"),
)
_BZIP2 = re.compile(rb"BZh[1-9]1AY&SY")
_BOMS = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_BLOCKS, _BLOCK_SIZE = 16, 4096  # of the sample
_MAX_CHECKED = 1 << 24  # bytes that are decoded, for speed
_COMPRESSED_BITS = 7.8  # entropy of a byte; that of texts in any script is below 7.2
_MANY_ZEROS, _FEW_ZEROS = 0.4, 0.05

CONVERT = 'convert it with --encoding {0}, in Python encoding="{0}"'


def note_on(corpus: ByteArray | _core.Documents, convert: str = CONVERT) -> str | None:
    """A sentence for a user whose text is probably not what was meant; None for plain UTF-8, and
    for a text that is too short to tell.

    convert: how to convert a text in the encoding {0}"""
    encoded = corpus.encoded if isinstance(corpus, _core.Documents) else corpus
    if encoded.dtype != np.uint8 or encoded.ndim != 1:  # which is refused elsewhere
        return None
    step = max((len(encoded) - _BLOCK_SIZE) // (_BLOCKS - 1), 0) // 4 * 4
    starts = [i * step for i in range(_BLOCKS)] if step >= _BLOCK_SIZE else [0]
    size = _BLOCK_SIZE if step >= _BLOCK_SIZE else _BLOCKS * _BLOCK_SIZE
    blocks = [encoded[at : at + size].tobytes() for at in starts]
    start = encoded[:_MAX_CHECKED].tobytes()
    if isinstance(corpus, _core.Documents):
        blocks, start = [*map(_without_marks, blocks)], _without_marks(start)
    return (
        _known_format(start)
        or _wide_encoding(start, blocks, convert)
        or _compressed(b"".join(blocks))
        or _other_encoding(start, len(encoded) > _MAX_CHECKED, convert)
    )


def _without_marks(encoded: bytes) -> bytes:
    """The documents of a text of documents (docs/model.md), on lines of their own."""
    return re.sub(rb"\xfe(.)|\xff", lambda mark: mark[1] or b"\n", encoded, flags=re.DOTALL)


def _known_format(start: bytes) -> str | None:
    for magic, what, remedy in _FORMATS:
        if start.startswith(magic):
            return f"the text begins as {what} does: {remedy}"
    if _BZIP2.match(start):
        return "the text begins as bzip2 data does: decompress it first: bunzip2 -k FILE"
    return None


def _wide_encoding(start: bytes, blocks: list[bytes], convert: str) -> str | None:
    for bom, name in _BOMS:
        if start.startswith(bom):
            return f"the text begins as {name.upper()} does: {convert.format(name)}"
    # Without a byte order mark, three or one of four bytes of ASCII are zero.
    whole = np.frombuffer(b"".join(block[: len(block) // 4 * 4] for block in blocks), np.uint8)
    if whole.size < 16:
        return None
    zeros = (whole.reshape(-1, 4) == 0).mean(axis=0)
    for name, empty, full in (
        ("utf-32-le", (1, 2, 3), (0,)),
        ("utf-32-be", (0, 1, 2), (3,)),
        ("utf-16-le", (1, 3), (0, 2)),
        ("utf-16-be", (0, 2), (1, 3)),
    ):
        if all(zeros[i] > _MANY_ZEROS for i in empty) and all(zeros[i] < _FEW_ZEROS for i in full):
            return f"the text looks like {name.upper()}: {convert.format(name)}"
    return None


def _compressed(sample: bytes) -> str | None:
    if len(sample) < _BLOCK_SIZE:
        return None
    counts = np.bincount(np.frombuffer(sample, np.uint8), minlength=256)
    shares = counts[counts > 0] / len(sample)
    if -(shares * np.log2(shares)).sum() < _COMPRESSED_BITS:
        return None
    return (
        "the text looks compressed or encrypted, since all bytes are about equally frequent in it: "
        "if it is, decompress or decrypt it first"
    )


def _other_encoding(start: bytes, cut: bool, convert: str) -> str | None:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=not cut)
    except UnicodeDecodeError as error:
        return (
            f"the text is not UTF-8 (byte 0x{start[error.start]:02x} at offset {error.start}): if "
            f"it is in another encoding, {convert.format('NAME')}"
        )
    return None
