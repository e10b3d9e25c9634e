"""Texts that are not plain UTF-8: notes about them, and their conversion."""

from __future__ import annotations

import bz2
import gzip
import inspect
import lzma
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import slm
from models import TINY
from slm import _core, cli
from slm.encodings import note_on

RNG = np.random.default_rng(1)
ENGLISH = slm.sample_text().tobytes()[:200_000].decode()
RUSSIAN = "".join(RNG.choice([*"оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъ "], 40_000))
CHINESE = "".join(
    RNG.choice([*"的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会"], 30_000)
)
FRENCH = "Ça va très bien, merci.\n" * 200


def as_array(data: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(data, np.uint8)


ORDINARY: dict[str, bytes] = {
    "english": ENGLISH.encode(),
    "russian": RUSSIAN.encode(),
    "chinese": CHINESE.encode(),
    "french": FRENCH.encode(),
    "every character": "".join(map(chr, range(32, 0xD800))).encode(),
    "byte order mark": FRENCH.encode("utf-8-sig"),
    "code": inspect.getsource(inspect).encode(),
    "dna": RNG.choice([*b"ACGT"], 50_000).astype(np.uint8).tobytes(),
    "numbers": "\n".join(f"{a:.6f},{b:.3f}" for a, b in RNG.random((5_000, 2))).encode(),
    "names": b"Emma\nOlivia\nAva\n",
    "zeros": bytes(10_000),
    "one byte": b"x",
    "nothing": b"",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_no_note_on_ordinary_texts(name: str) -> None:
    assert note_on(as_array(ORDINARY[name])) is None
    documents = _core.Documents()
    for piece in (ORDINARY[name][:1], ORDINARY[name]):
        if piece.isascii():  # else the first piece cuts a character
            documents.add(as_array(piece))
    assert note_on(documents) is None


UNUSUAL: dict[str, tuple[bytes, str]] = {
    "gzip": (gzip.compress(ENGLISH.encode()), "gzip data does: decompress it first: gunzip -k"),
    "xz": (lzma.compress(ENGLISH.encode()), "xz data does: decompress it first: unxz -k"),
    "bzip2": (bz2.compress(ENGLISH.encode()), "bzip2 data does: decompress it first: bunzip2"),
    "zip": (b"PK\x03\x04" + bytes(26), "unpack it first"),
    "png": (b"\x89PNG\r\n\x1a\n" + bytes(30), "a PNG image"),
    "zlib": (zlib.compress(ENGLISH.encode()), "looks compressed or encrypted"),
    "all bytes in turn": (bytes(range(256)) * 100, "if it is, decompress or decrypt it first"),
    "random": (RNG.bytes(5_000), "compressed or encrypted"),
    "utf-16": (ENGLISH.encode("utf-16"), "--encoding utf-16, in"),
    "utf-16-be": (ENGLISH.encode("utf-16-be"), "--encoding utf-16-be"),
    "utf-32": (RUSSIAN.encode("utf-32"), "--encoding utf-32, in"),
    "utf-32-le": (ENGLISH.encode("utf-32-le"), "--encoding utf-32-le"),
    "short utf-16-le": ("hello world".encode("utf-16-le"), "--encoding utf-16-le"),
    "latin-1": (FRENCH.encode("latin-1"), "not UTF-8 (byte 0xc7 at offset 0)"),
    "koi8-r": (RUSSIAN.encode("koi8-r"), "not UTF-8"),
    "gbk": (CHINESE.encode("gbk"), "not UTF-8"),
    "cut": ("ж".encode()[:1], "not UTF-8 (byte 0xd0 at offset 0)"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_note_on_unusual_texts(name: str) -> None:
    data, expected = UNUSUAL[name]
    note = note_on(as_array(data))
    assert note is not None and expected in note and "\n" not in note
    documents = _core.Documents()
    documents.add(as_array(data))
    assert expected in (note_on(documents) or "")


def test_large_texts_are_sampled() -> None:
    text = np.full(1 << 25, ord("a"), np.uint8)
    text[1 << 24 :] = 0xFF  # beyond what is decoded
    assert note_on(text) is None
    text[100] = 0xE9
    assert "byte 0xe9 at offset 100" in (note_on(text) or "")


def test_training_says_it_once() -> None:
    model = slm.Model(**TINY)
    with pytest.warns(UserWarning) as warned:
        history = model.train(FRENCH.encode("latin-1"), steps=2)
    assert len(history.notes) == 1 and "not UTF-8" in history.notes[0]
    assert [str(warning.message) for warning in warned] == history.notes
    assert {warning.filename for warning in warned} == {__file__}


def test_load_text_converts(tmp_path: Path) -> None:
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_bytes("été ".encode("utf-16"))
    second.write_bytes("âge".encode("utf-16"))
    for paths in ((first, second), (tmp_path,)):
        assert slm.load_text(*paths, encoding="utf-16").tobytes() == "été âge".encode()
    assert slm.load_text(first).tobytes() == "été ".encode("utf-16")


@pytest.mark.parametrize("documents", ["none", "auto", "lines"])
def test_training_on_another_encoding_is_training_on_utf8(documents: str, tmp_path: Path) -> None:
    path = tmp_path / "french.txt"
    path.write_bytes(FRENCH.encode("latin-1"))
    given: list[Any] = [
        (FRENCH, FRENCH, None),
        (path, FRENCH.encode("latin-1"), "latin-1"),
        (as_array(FRENCH.encode("latin-1")), path, "latin-1"),
    ]
    trained = []
    for text, validation, encoding in given:
        model = slm.Model(**TINY)
        model.train(text, steps=2, validation=validation, encoding=encoding, documents=documents)
        trained.append(model.score(FRENCH).nats_per_byte)
    assert trained == [trained[0]] * 3


@pytest.mark.parametrize(
    ("data", "encoding", "error", "sentence"),
    [
        (b"caf\xe9", "ascii", slm.ConfigError, "is not ascii: byte 0xe9 at offset 3 cannot be"),
        (b"abc", "utf-16", slm.ConfigError, "is not utf-16: byte 0x63 at offset 2"),
        (b"abc", "klingon", slm.ConfigError, "encoding is 'klingon', but must be a text encoding"),
        (b"abc", "rot13", slm.ConfigError, "encoding is 'rot13', but must be a text encoding"),
        (b"+2AA-", "utf-7", slm.ConfigError, "has a lone surrogate"),
        (b"", "latin-1", slm.ConfigError, "the text is empty"),
        (b"abc", 1, TypeError, "encoding must be a str or None, got int"),
    ],
)
def test_errors(
    data: bytes, encoding: Any, error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    with pytest.raises(error, match=sentence):
        slm.load_text(path, encoding=encoding)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, model = tmp_path / "french.txt", str(tmp_path / "m.safetensors")
    path.write_bytes(FRENCH.encode("latin-1"))
    plain = tmp_path / "utf8.txt"
    plain.write_text(FRENCH, encoding="utf-8")
    train = ["train", "-o", model, "--preset", "nano", "--steps", "2", "--overwrite"]
    assert cli.main([*train, str(path)]) == 0
    assert capsys.readouterr().err.count("slm: note: the text is not UTF-8") == 1
    assert cli.main([*train, str(path), "--encoding", "latin-1", "--validation", str(path)]) == 0
    assert "not UTF-8" not in capsys.readouterr().err
    scores = []
    for args in ([str(path), "--encoding", "latin-1"], [str(plain)]):
        assert cli.main(["score", "-m", model, *args]) == 0
        output = capsys.readouterr()
        scores.append(output.out.partition(": ")[2])
        assert "note" not in output.err
    assert scores[0] == scores[1]
    assert cli.main(["score", "-m", model, str(path)]) == 0
    assert f"slm: note: {path}: the text is not UTF-8" in capsys.readouterr().err
    assert cli.main(["score", "--lines", str(path), "--encoding", "latin-1"]) == 1
    assert "--lines takes no --encoding" in capsys.readouterr().err
    assert cli.main([*train, str(path), "--encoding", "ascii"]) == 1
    assert "byte 0xc7 at offset 0" in capsys.readouterr().err
