"""Many texts at once, probabilities, and lines on the command line."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from models import ALL_OPTIONS, TINY
from slm.cli import main
from slm.cli.score_lines import read_lines, shown

LINES = [b"GET /index.html 200", b"", b"\xff\xfe odd \x1b[31m", "дом".encode(), b"x" * 300]


def make_model(**options: Any) -> slm.Model:
    return slm.Model(**{**TINY, **ALL_OPTIONS, "fixed_share": 1e-3, **options}, seed=5)


@pytest.mark.parametrize("documents", [False, True])
def test_texts_have_the_scores_that_they_have_alone(documents: bool, tmp_path: Path) -> None:
    model = make_model(documents=documents)
    path = tmp_path / "a.txt"
    path.write_bytes(b"from a file")
    texts = [*LINES, "a str", np.frombuffer(b"an array", np.uint8), path, ["a", "list"]] * 20
    scores = model.score_many(iter(texts))
    assert len(scores) == len(texts)
    for text, score in zip(texts, scores, strict=True):
        if isinstance(text, bytes) and not text:
            assert score.num_bytes == 0 and np.isnan(score.bits_per_byte)
            assert score.log_probs.shape == (0,)
            continue
        alone = model.score(text)
        assert score.nats_per_byte == alone.nats_per_byte and score.num_bytes == alone.num_bytes
        np.testing.assert_array_equal(score.log_probs, alone.log_probs)
        assert score.log_probs.dtype == np.float32
    short = model.score_many(texts, log_probs=False)
    assert [s.num_bytes for s in short] == [s.num_bytes for s in scores]
    assert all(s.log_probs.size == 0 for s in short)
    assert model.score_many([]) == []


def test_empty_texts(tmp_path: Path) -> None:
    model = make_model()
    empty = tmp_path / "empty.txt"
    empty.write_bytes(b"")
    for text in ("", b"", np.empty(0, np.uint8), empty, []):
        log_probs = model.log_probs(text)
        assert log_probs.shape == (0,) and log_probs.dtype == np.float32
        (score,) = model.score_many([text])
        assert score.num_bytes == 0 and np.isnan(score.nats_per_byte)
        with pytest.raises(slm.ConfigError, match="empty"):
            model.score(text)
    with pytest.raises(TypeError, match=r"uint8.*float64"):
        model.log_probs(np.empty(0))  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        model.score_many([tmp_path / "missing"])


def test_both_spellings_of_a_byte_in_a_model_of_documents() -> None:
    model = make_model(documents=True, fixed_share=0)
    prefix = b"a"

    def symbol_probs(*symbols: int) -> Any:
        state = model.new_state()
        for symbol in (ord("\n"), *prefix, *symbols):
            logits = model.step(np.array([symbol], np.uint8), state)[0].astype(np.float64)
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum()

    first, escaped = symbol_probs(), symbol_probs(0xFE)
    plain = np.where(np.arange(256) < 0xFE, first, 0)
    probs = model.next_byte_probs(prefix)
    np.testing.assert_allclose(probs, plain + first[0xFE] * escaped, rtol=1e-6)
    np.testing.assert_allclose(probs.sum(), 1 - first[0xFF], rtol=1e-6)
    one_spelling = np.where(plain > 0, plain, first[0xFE] * escaped)
    for byte in (ord("b"), 0xFE, 0xFF):
        scored = np.exp(model.log_probs(prefix + bytes([byte]))[1])
        assert scored == pytest.approx(one_spelling[byte], rel=1e-4)
        assert probs[byte] >= scored * (1 - 1e-4)


def test_errors_of_lists() -> None:
    model = make_model()
    for texts in ("one text", b"bytes", np.zeros(3, np.uint8), Path("x")):
        with pytest.raises(TypeError, match="must be a list of texts"):
            model.score_many(texts)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"texts\[1\] must be a str"):
        model.score_many(["a", 3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"texts\[1\] must be .*uint8.*float64"):
        model.score_many(["a", np.zeros(3)])  # type: ignore[list-item]
    with pytest.raises(slm.ConfigError, match=r"texts\[0\] .*shape \(2, 2\)"):
        model.score_many([np.zeros((2, 2), np.uint8)])
    with pytest.raises(TypeError, match="prefix must be a str or bytes"):
        model.next_byte_probs(3)  # type: ignore[arg-type]


def test_log_probs_and_next_byte_probs() -> None:
    model = make_model(fixed_share=0)
    text = "One text, дом."
    values = model.log_probs(text)
    np.testing.assert_array_equal(values, model.score(text).log_probs)
    data = text.encode()
    for i in (0, 5, len(data) - 1):
        probs = model.next_byte_probs(data[:i])
        assert probs.shape == (256,) and probs.dtype == np.float64
        assert probs.sum() == pytest.approx(1, abs=1e-12)
        assert np.log(probs[data[i]]) == pytest.approx(values[i], abs=1e-5)
    np.testing.assert_array_equal(model.next_byte_probs(), model.next_byte_probs(b""))
    assert make_model(documents=True).next_byte_probs().sum() < 1


def test_foreign_text_is_bounded_for_the_bundled_model() -> None:
    model = slm.load()
    chinese = "今天天气很好，我们去公园散步，然后回家吃饭。" * 3
    noise = np.random.default_rng(1).integers(0, 256, 500, dtype=np.uint8)
    for text in (chinese, noise):
        assert model.score(text, log_probs=False).bits_per_byte < 8.5
        assert model.score(text, log_probs=False, adapt=True).bits_per_byte < 8.5
    english = "The old man sat down by the fire and began to tell them about the sea."
    assert model.score(english).bits_per_byte < 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_model().save(tmp_path / "m.safetensors")
    (tmp_path / "log").write_bytes(b"\n".join(LINES))
    (tmp_path / "ended").write_bytes(b"a\nb\n")
    return tmp_path


def slm_score(folder: Path, *args: str, **options: Any) -> Any:
    command = [sys.executable, "-m", "slm", "score", "-m", "m.safetensors", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=120, **options)


def test_a_file_is_one_document_for_a_model_of_documents(folder: Path) -> None:
    note = (
        b"note: the model was trained on documents, and the file is scored as one of them; --lines"
    )
    assert note not in slm_score(folder, "ended").stderr
    make_model(documents=True).save(folder / "m.safetensors")
    assert note in slm_score(folder, "ended").stderr
    assert b"and each FILE is scored as one of them" in slm_score(folder, "ended", "log").stderr
    assert b"note" not in slm_score(folder, "ended", "--lines").stderr
    assert slm_score(folder, "ended", "--quiet").stderr == b""


def test_lines_as_json(folder: Path) -> None:
    done = slm_score(folder, "--lines", "log", "ended", "--json")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    places = [("log", i + 1, line) for i, line in enumerate(LINES)]
    places += [("ended", 1, b"a"), ("ended", 2, b"b")]
    assert len(results) == len(places)
    model = slm.load(folder / "m.safetensors")
    for result, (file, number, line) in zip(results, places, strict=True):
        assert (result["file"], result["line"], result["num_bytes"]) == (file, number, len(line))
        if line:
            assert result["nats_per_byte"] == model.score(line).nats_per_byte
            assert result["bits_per_byte"] == model.score(line).bits_per_byte
        else:
            assert all(result[f"{unit}_per_byte"] is None for unit in ("nats", "bits"))
            assert result["perplexity"] is None
    assert b"log: 5 lines, 337 bytes" in done.stderr


def test_lines_as_columns(folder: Path) -> None:
    done = slm_score(folder, "--lines", "-", "--quiet", input=b"\n".join(LINES) + b"\n")
    assert done.returncode == 0 and done.stderr == b""
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert [row[1:3] for row in rows] == [[str(len(x)), f"-:{i + 1}"] for i, x in enumerate(LINES)]
    model = slm.load(folder / "m.safetensors")
    assert float(rows[0][0]) == pytest.approx(model.score(LINES[0]).bits_per_byte, abs=1e-4)
    assert rows[1][0] == "-"
    assert [row[3] for row in rows] == [
        LINES[0].decode(), "", r"\xff\xfe odd \x1b[31m", "дом", "x" * 100 + "…",
    ]  # fmt: skip


class Pipe(io.BytesIO):
    """Gives a few bytes at each read."""

    def __init__(self, text: bytes, num_bytes: int = 7):
        super().__init__(text)
        self.num_bytes = num_bytes

    def read1(self, size: int | None = -1) -> bytes:
        return self.read(self.num_bytes)


def test_lines_are_scored_as_they_come() -> None:
    text = b"\n".join([b"first", b"", b"a line longer than a read", b"last"])
    batches = list(read_lines(Pipe(text)))
    assert batches[0] == [b"first", b""] and len(batches) == 3
    for data in (text, text + b"\n"):
        assert list(chain(*read_lines(Pipe(data)))) == text.split(b"\n")
    assert list(read_lines(Pipe(b""))) == []


def test_lines_end_as_those_of_training_do() -> None:
    text = b"\xef\xbb\xbffirst\r\n\r\nwithin\ra line\r\nLF\ntwo\r\r\nlast\r"
    expected = [b"first", b"", b"within\ra line", b"LF", b"two\r", b"last"]
    documents = slm._core.Documents()
    documents.add_lines(np.frombuffer(text, np.uint8))
    ends = b"".join(line + b"\xff" for line in expected if line)  # empty ones are no documents
    assert documents.encoded.tobytes() == ends
    assert list(chain(*read_lines(Pipe(b"\xef\xbb\xbflast\r")))) == [b"last"]
    for num_bytes in range(1, len(text) + 1):
        assert list(chain(*read_lines(Pipe(text, num_bytes)))) == expected


def test_shown_lines_cannot_move_the_cursor() -> None:
    assert shown(b"a\tb\rc\x00d\x9b") == r"a\tb\rc\x00d\x9b"
    assert shown("\u202e\u0085".encode()) == r"\u202e\x85"


def test_lines_of_folders_and_of_empty_files(folder: Path) -> None:
    (folder / "texts" / "b").mkdir(parents=True)
    (folder / "texts" / "b" / "c.txt").write_bytes(b"one\n")
    (folder / "texts" / "a.txt").write_bytes(b"")
    (folder / "texts" / "no.log").write_bytes(b"x")
    done = slm_score(folder, "--lines", "texts", "ended")
    places = [line.split(b"\t")[2] for line in done.stdout.splitlines()]
    assert places == [b"texts/b/c.txt:1", b"ended:1", b"ended:2"]
    piped = [
        "bash",
        "-c",
        '"$@" <(cat ended)',
        "-",
        sys.executable,
        "-m",
        "slm",
        "score",
        "--lines",
    ]
    args = [*piped, "-m", "m.safetensors", "--quiet"]
    out = subprocess.run(args, cwd=folder, capture_output=True, timeout=120, check=True).stdout
    assert [line.rpartition(b":")[2] for line in out.splitlines()] == [b"1\ta", b"2\tb"]
    totals = [line.partition(b" nats")[0] for line in done.stderr.splitlines()]
    assert totals[0] == b"slm: texts/a.txt: 0 lines, 0 bytes without their ends, -"
    assert totals[1].startswith(b"slm: texts/b/c.txt: 1 line, 3 bytes without their ends, ")


def test_lines_of_a_file_that_is_no_utf8_text(folder: Path) -> None:
    text = "\n".join(f"line {i} is längst nicht the last" for i in range(200))
    for data, note in (
        (gzip.compress(text.encode()), b"gzip data does: decompress it first"),
        (text.encode("utf-16"), b"UTF-16 does: convert it first: iconv -f utf-16 -t UTF-8"),
        (text.encode("utf-16-be"), b"UTF-16-BE: convert it first: iconv -f utf-16-be -t UTF-8"),
        (text.encode("latin-1"), b"not UTF-8 (byte 0xe4 at offset 11)"),
        (text.encode(), b""),
    ):
        (folder / "data").write_bytes(data)
        messages = slm_score(folder, "--lines", "data").stderr
        assert note in messages and messages.startswith(b"slm: note: data: ") == bool(note)
        assert slm_score(folder, "--lines", "data", "--quiet").stderr == b""


def test_standard_input_is_a_text(folder: Path) -> None:
    text = "dürr\n".encode()
    score = slm.load(folder / "m.safetensors").score(text)
    for data, options in ((text, ()), ("dürr\n".encode("latin-1"), ("--encoding", "latin-1"))):
        result = json.loads(slm_score(folder, "-", "--json", *options, input=data).stdout)
        assert result["file"] == "-" and result["num_bytes"] == 6
        assert result["nats_per_byte"] == score.nats_per_byte
    done = slm_score(folder, "-", input=b"")
    assert done.returncode == 1
    assert done.stderr == b"slm: error: standard input is empty; at least one byte is needed\n"


def test_lines_that_cannot_be_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["-m", str(folder / "m.safetensors")]
    assert main(["score", "--lines", str(folder / "ended"), str(folder / "none"), *model]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "none: No such file" in err
    for option in ("--adapt", "--per-byte"):
        assert main(["score", "--lines", option, str(folder / "log"), *model]) == 1
        assert "--lines goes neither with" in capsys.readouterr().err
