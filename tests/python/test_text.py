"""All accepted kinds of texts, and the bundled corpus."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import slm
from slm.text import to_array


def test_sample_text() -> None:
    text = slm.sample_text()
    assert text.dtype == np.uint8 and text.shape == (1_115_394,) and not text.flags.writeable
    expected = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
    assert hashlib.sha256(text).hexdigest() == expected
    assert bytes(text).startswith(b"First Citizen:\n")


def test_every_kind_is_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Käse".encode())
    expected = list("Käse".encode())
    for text in ("Käse", "Käse".encode(), path, np.array(expected, np.uint8)):
        assert list(to_array(text)) == expected
        assert list(to_array([text, "x", text])) == [*expected, ord("x"), *expected]


def test_load_text(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_bytes(b"second")
    (tmp_path / "a.txt").write_bytes(b"first ")
    (tmp_path / "c.md").write_bytes(b"not a text")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.txt").write_bytes(b" third")
    assert bytes(slm.load_text(tmp_path)) == b"first second third"
    assert bytes(slm.load_text(str(tmp_path / "b.txt"), tmp_path / "a.txt")) == b"secondfirst "
    assert bytes(to_array([tmp_path / "b.txt", tmp_path / "a.txt"])) == b"secondfirst "


def test_loaded_text_is_read_only_and_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"mapped")
    text = slm.load_text(path)
    part = text[1:]
    path.unlink()
    del text
    assert bytes(part) == b"apped"
    with pytest.raises(ValueError, match="read-only"):
        part[0] = 1


def test_a_huge_file_is_mapped_not_read(tmp_path: Path) -> None:
    path = tmp_path / "sparse.txt"
    with path.open("wb") as file:
        file.truncate(1 << 38)  # more than the machine has memory
    text = slm.load_text(path)
    assert text.size == 1 << 38 and text[-1] == 0


def test_file_names_of_any_bytes(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(name, "wb") as file:
        file.write(b"text")
    assert bytes(slm.load_text(os.fsdecode(name))) == b"text"
    with pytest.raises(FileNotFoundError, match="caf"):
        slm.load_text(os.fsdecode(name + b"2"))


def test_a_str_that_names_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").write_bytes(b"text")
    with pytest.raises(slm.ConfigError, match=r"pathlib\.Path\('book\.txt'\)"):
        to_array("book.txt")
    for text in ("book", "book.txt\n", ".", "/", "a\0b", "x" * 100_000):
        assert to_array(text).size == len(text)
    assert bytes(to_array(b"book.txt")) == b"book.txt"


def test_arrays_are_not_copied() -> None:
    array = np.frombuffer(b"as it is", np.uint8)
    assert to_array(array) is array
    assert np.shares_memory(to_array(bytes_ := b"as it is"), np.frombuffer(bytes_, np.uint8))
