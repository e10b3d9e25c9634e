"""Training on several documents: what counts as one, and that their ends are learned."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from slm import _core
from slm.documents import num_bytes, read_corpus
from test_cli import TINY, results, slm_command

NAMES = ["Emma", "Olivia", "Ava"]
END = 0xFF
SMALL: dict[str, Any] = {"embed_dim": 16, "state_dim": 16, "num_layers": 1}


def tiny(**fields: Any) -> slm.Model:
    return slm.Model("seed-small", **SMALL, **fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_bytes(b"Emma\r\n\r\nOlivia\n")
    (tmp_path / "b.txt").write_bytes(b"Ava")
    (tmp_path / "empty.txt").write_bytes(b"")
    lines = [{"text": "Emma\n"}, {"text": ""}, {"text": "ж", "id": 2}]
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return tmp_path


def test_what_is_a_document(folder: Path) -> None:
    a, b, jsonl = folder / "a.txt", folder / "b.txt", folder / "c.jsonl"

    def corpus(text: Any, documents: str = "auto") -> tuple[int, int]:
        """The number of documents and of bytes, with a byte for each end; no document: a text."""
        read = read_corpus(text, documents)
        return len(read) if isinstance(read, _core.Documents) else 0, num_bytes(read)

    assert corpus(NAMES) == (3, 16)
    assert corpus([*NAMES, "", [b"\xff", np.array([1, 2], np.uint8)]]) == (5, 16 + 3 + 3)
    assert corpus(NAMES, "none") == (0, 13)
    assert corpus("Emma") == corpus(b"Emma") == corpus(["Emma"], "none") == (0, 4)
    assert corpus(["Emma"]) == corpus(("Emma",)) == corpus("Emma", "files") == (1, 5)
    assert corpus(folder) == corpus([a, b]) == (2, 15 + 3 + 2)
    assert corpus(a) == (0, 15) and corpus([a]) == corpus(["", a]) == (1, 16)
    b.unlink()
    assert corpus(folder) == (1, 16)
    b.write_bytes(b"Ava")
    assert corpus([folder], "none") == (0, 18)
    assert corpus(a, "lines") == (2, 12)
    assert corpus(["x\ny", "\nz\n"], "lines") == (3, 6)
    assert corpus(jsonl, "jsonl:text") == (2, 6 + 3)


def test_a_text_may_be_the_name_of_a_file_by_chance(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    Path("Ava").touch()
    for documents in ("auto", "none"):
        tiny().train(NAMES, documents=documents, steps=1, seq_len=8, validation=None)
    scores = tiny().score_many(["Ava", ["Ava"]])
    assert [score.num_bytes for score in scores] == [3, 3]
    for text in ("Ava", ["Ava"], ["Ava"] * 9):
        with pytest.raises(slm.ConfigError, match="is the str 'Ava', which names a file"):
            tiny().train(text)


def test_training_on_documents(folder: Path) -> None:
    model = tiny()
    history = model.train(NAMES * 200, steps=60, cold_fraction=0.5, seed=1)
    assert model.config.documents and history.notes == []
    for name in NAMES:
        text = np.frombuffer(b"\n" + name.encode(), np.uint8)[:, None]
        logits = model.logits(text)[-1, 0]
        assert logits.argmax() == END, name
    model.save(folder / "names.safetensors")
    assert slm.load(folder / "names.safetensors").config == model.config

    model = tiny()
    model.train(["Emma"] * 100, documents="none", steps=1)
    model.train("Emma" * 100, steps=1)
    assert not model.config.documents


def test_order_does_not_matter_to_a_document() -> None:
    """The losses of one step on all documents, which each read from a fresh state."""
    losses = []
    for names in (NAMES * 20, NAMES[::-1] * 20):
        model = tiny(cell="gated", ngram_orders=(2, 3), match_lengths=(2,))
        size = num_bytes(read_corpus(names, "auto"))
        history = model.train(
            names, steps=1, validation=None, seq_len=size, batch_size=1, sampling="stream"
        )
        losses.append(history.evaluations[0].train_loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_validation_is_of_documents(folder: Path) -> None:
    model = tiny()
    history = model.train(NAMES * 20, steps=2, validation=folder / "a.txt", documents="lines")
    drawn = model.train(NAMES * 20, steps=2, validation=0.5)
    other = model.train(NAMES * 20, steps=2, validation=["Mia", "Zoe"])
    for h in (history, drawn, other):
        assert np.isfinite(h.best_loss) and h.notes == []
    with pytest.raises(slm.ConfigError, match="the validation text is empty"):
        model.train(NAMES * 20, steps=2, validation=[""])
    with pytest.warns(UserWarning, match="there is one document, too few to hold some out"):
        model.train("Emma", documents="files", steps=1, seq_len=4)


def test_errors(folder: Path) -> None:
    for documents, error, match in [
        ("jsonl:", slm.ConfigError, "documents is 'jsonl:', but must be"),
        ("words", slm.ConfigError, "documents is 'words', but must be"),
        (True, TypeError, "documents must be a str, got bool"),
    ]:
        with pytest.raises(error, match=match):
            tiny().train(NAMES, documents=documents)  # type: ignore[arg-type]
    for texts in (["", ""], []):
        with pytest.raises(slm.ConfigError, match="the text to train on is empty"):
            tiny().train(texts)
    with pytest.raises(TypeError, match=r"text\[1\] must be a str, bytes"):
        tiny().train(["Emma", 3])  # type: ignore[list-item]
    files = [str(folder / "a.txt"), str(folder / "b.txt")]
    for mode in ("auto", "none"):
        with pytest.raises(slm.ConfigError, match=r"text\[0\] is the str .* names a file"):
            tiny().train(files, documents=mode)
    with pytest.raises(FileNotFoundError, match=r"gone\.txt"):
        tiny().train([folder / "a.txt", folder / "gone.txt"])
    (folder / "c.jsonl").write_text('{"text": "Emma"}\n\n{"text": 3}\n')
    line = 'field "text" of line 3 of ".*c.jsonl" must be a string, not an integer'
    with pytest.raises(slm.FormatError, match=line):
        tiny().train(folder / "c.jsonl", documents="jsonl:text")


def test_command_line(folder: Path) -> None:
    (folder / "names.txt").write_text("\n".join(NAMES * 50))
    lines = ["train", "names.txt", "--documents", "lines", "--steps", "4", *TINY]
    done = slm_command(*lines, folder=folder)
    assert done.returncode == 0 and b"text: 150 documents of names.txt" in done.stderr
    assert json.loads(results("info", "slm.safetensors", "--json", folder=folder))["text"] == (
        "documents"
    )
    results(*lines, "--resume", folder=folder)
    refused = slm_command("train", "names.txt", "--resume", folder=folder)
    assert refused.returncode == 1 and b"its text is" in refused.stderr
    hint = b"; give the same files, --documents and --validation as before"
    assert hint in refused.stderr
    refused = slm_command(*lines, "--resume", "--validation", "0.2", folder=folder)
    assert refused.returncode == 1 and hint in refused.stderr
    several = ["train", "a.txt", "b.txt", "--steps", "2", "-o", "two.safetensors", *TINY]
    assert b"2 documents of a.txt b.txt" in slm_command(*several, folder=folder).stderr
    one = ["train", "b.txt", "--documents", "files", "--steps", "1", "-o", "one.safetensors"]
    assert b"text: 1 document of b.txt" in slm_command(*one, *TINY, folder=folder).stderr


def test_command_line_with_the_bundled_corpus(tmp_path: Path) -> None:
    train = ["train", "--steps", "1", "--validation", "0", *TINY]
    done = slm_command(*train, "--documents", "lines", folder=tmp_path)
    assert b"text: 32,777 documents of the bundled corpus" in done.stderr
    refused = slm_command(*train, "--documents", "jsonl:text", "--overwrite", folder=tmp_path)
    assert refused.returncode == 1 and b'line 1 of "the bundled corpus' in refused.stderr
    refused = slm_command(*train, "--encoding", "latin-1", "--overwrite", folder=tmp_path)
    assert refused.returncode == 2 and b"--encoding is that of FILEs" in refused.stderr


def test_json_lines_in_unusual_files(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    line = b'{"text": "Emma"}\n'
    file.write_bytes(b"\xef\xbb\xbf" + line + b" \t \r\n" + line)
    assert num_bytes(read_corpus(file, "jsonl:text")) == 10
    assert num_bytes(read_corpus(file, "lines")) == 2 * len(line) + 4
    for data, match in [
        (gzip.compress(line), "the text begins as gzip data does: decompress it first"),
        (line.decode().encode("utf-16"), 'the text begins as UTF-16 does: .* encoding="utf-16"'),
    ]:
        file.write_bytes(data)
        with pytest.raises(slm.FormatError, match='line 1 of ".*a.jsonl".*; ' + match):
            read_corpus(file, "jsonl:text")
    assert num_bytes(read_corpus(file, "jsonl:text", encoding="utf-16")) == 5
