"""slm generate: escapes, what a terminal is sent, JSON, samples of documents, the prompt loop."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import slm
from project import read_terminal
from slm.cli import main
from slm.cli.escapes import unescape, visible

TEXT = b"the quick brown fox\njumps over -x the lazy dog\n" * 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model of a text, and one of documents that are lines."""
    folder = tmp_path_factory.mktemp("generate")
    how: dict[str, Any] = {"steps": 30, "seq_len": 16, "batch_size": 4, "validation": None}
    model = slm.Model("seed-small", embed_dim=12, state_dim=12, num_layers=1)
    model.train(TEXT, **how)
    model.save(folder / "text.safetensors")
    model = slm.Model("seed-small", embed_dim=12, state_dim=12, num_layers=1)
    model.train(["Emma", "Olivia", "Ava", "Mia"] * 40, **how)
    model.save(folder / "names.safetensors")
    return folder


@pytest.fixture
def out(folder: Path, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command with one of the models, and returns what it prints."""

    def run(*args: str, model: str = "text", status: int = 0) -> bytes:
        monkeypatch.chdir(folder)
        assert main(["generate", "-m", f"{model}.safetensors", *args]) == status
        captured = capfdbinary.readouterr()
        return bytes(captured.err if status else captured.out)

    return run


def test_escapes() -> None:
    assert unescape(rb"a\n\r\t\\n\x00\xff") == b"a\n\r\t\\n\x00\xff"
    assert unescape("é".encode()) == "é".encode()
    for bad in (rb"\q", rb"\x1", b"a\\", rb"\xgg"):
        with pytest.raises(slm.ConfigError, match="escape"):
            unescape(bad)


def test_what_a_terminal_is_sent() -> None:
    shown = visible(b"a\tb\n\x1b[2J\x07\r\x7f\x00" + "é\x9b€".encode() + b"\xff")
    assert shown == rb"a	b" + b"\n" + rb"\x1b[2J\x07\x0d\x7f\x00" + "é".encode() + (
        rb"\xc2\x9b" + "€".encode() + rb"\xff"
    )
    assert unescape(visible(bytes(range(128)).replace(b"\\", b""))) == bytes(range(128)).replace(
        b"\\", b""
    )


def test_prompts_and_stops_with_escapes(out: Any, folder: Path) -> None:
    model = slm.load(folder / "text.safetensors")
    args = ("--max-bytes", "40", "--seed", "1")
    expected = model.generate(b"a\n\x00\\", 40, seed=1)
    assert out("-e", "--prompt", r"a\n\x00\\", *args) == expected
    assert out("--prompt", r"a\n", *args) == model.generate(rb"a\n", 40, seed=1)
    stopped = model.generate(b"", 40, seed=1, stop="\n")
    assert out("-e", "--stop", r"\n", *args) == stopped
    assert out("--escapes", "--stop=\\n", "--include-stop", *args) == model.generate(
        b"", 40, seed=1, stop="\n", include_stop=True
    )
    assert b"unknown" in out("-e", "--prompt", r"\q", status=1)


@pytest.mark.parametrize("option", ["--prompt", "--stop", "--allowed", "--logit-bias"])
def test_a_text_that_looks_like_an_escape_is_noted(folder: Path, capfd: Any, option: str) -> None:
    args = ["generate", "-m", str(folder / "text.safetensors"), "--max-bytes", "1", option]
    is_bias = option == "--logit-bias"
    text = r"\n=1" if is_bias else r"\n"
    note = f"slm: {option} '{text}' is a text with a backslash; with -e, that is an escape\n"
    assert main([*args, text]) == is_bias  # the bias is of one byte with -e only
    assert capfd.readouterr().err.startswith(note)
    for more in ("-e", "--quiet"):
        assert main([*args, text, more]) == (is_bias and more != "-e")
        assert "with -e" not in capfd.readouterr().err
    assert main([*args, r"\q", "-e"]) == 1
    assert capfd.readouterr().err.startswith(f"slm: error: {option}")


def test_help_says_what_is_printed_and_what_an_escape_is(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "stop sequence, printed only with --include-stop" in text and "echo" not in text
    assert r"interpret the backslash escapes \n, \r, \t, \\ and \xNN" in text
    assert "default: False" not in text and "(default: 1.0)" in text


@pytest.mark.parametrize("prompt", ["-x", "--json", "-", "--max-bytes", "-x the"])
def test_a_prompt_may_begin_with_a_dash(out: Any, prompt: str, folder: Path) -> None:
    model = slm.load(folder / "text.safetensors")
    # A bare dash is standard input.
    args = ("-e", "--prompt", r"\x2d") if prompt == "-" else ("--prompt", prompt)
    expected = model.generate(prompt.encode(), 9, seed=1)
    assert out(*args, "--max-bytes", "9", "--seed", "1") == expected
    if prompt != "-":
        assert out(f"--prompt={prompt}", "--max-bytes", "9", "--seed", "1") == expected
    stopped = model.generate(b"", 200, seed=2, stop=prompt)
    assert out("--stop", prompt, "--max-bytes", "200", "--seed", "2") == stopped


def test_sampling_options(out: Any, folder: Path) -> None:
    model = slm.load(folder / "text.safetensors")
    args = ("--no-include-prompt", "--max-bytes", "50", "--seed", "1", "--temperature", "9")
    assert set(out("--allowed", "abc", *args)) <= set(b"abc")
    assert set(out("-e", "--allowed", r"\x00\xff", *args)) == {0, 255}
    assert set(out(*args)) <= set(TEXT) and set(out("--allowed", "seen", *args)) <= set(TEXT)
    assert not set(out("--allowed", "any", *args)) <= set(TEXT)
    biases = ("--logit-bias", "e=-2.5", "--logit-bias", "x=3", "--logit-bias", "t=-inf")
    expected = model.generate(
        b"",
        50,
        seed=1,
        temperature=9,
        repetition_penalty=1.5,
        logit_bias={"e": -2.5, "x": 3, "t": float("-inf")},
    )
    assert out(*biases, "--repetition-penalty", "1.5", *args) == expected
    assert set(out("-e", "--logit-bias", r"\n=9e9", *args)) == {10}
    assert set(out("--logit-bias", "==9e9", "--allowed", "=a", *args)) == set(b"=")
    for bad, part in (
        ("e", b" is not of the form BYTE=X"),
        ("e=much", b" is not of the form BYTE=X"),
        ("ab=1", b": BYTE has 2 bytes"),
        ("=1", b": BYTE has 0 bytes"),
        ("e=nan", b": X must be"),
        ("e=inf", b": X must be"),
    ):
        assert b"slm: error: --logit-bias " + bad.encode() + part in out(
            "--logit-bias", bad, status=1
        )


def test_json_loses_no_byte(out: Any, folder: Path) -> None:
    model = slm.load(folder / "text.safetensors")
    args = ("--max-bytes", "30", "--seed", "1", "--json")
    result = json.loads(out("--prompt", "the", *args))
    text = model.generate(b"the", 30, seed=1).decode()
    assert result == {"sample": 0, "text": text, "finish_reason": "length", "stop": None}
    result = json.loads(out("-e", "--prompt", r"\xff\x00", *args))
    data = model.generate(b"\xff\x00", 30, seed=1)
    assert base64.b64decode(result["bytes_base64"]) == data
    assert result["text"] == data.decode(errors="replace")
    result = json.loads(out("--prompt", "the", "--stop", "zz", "--stop", text[12:14], *args))
    assert result["finish_reason"] == "stop" and result["stop"] == text[12:14]
    assert "stop_base64" not in result
    ends = ("--stop", r"\xff", "--logit-bias", r"\xff=999", "--allowed", "any")
    result = json.loads(out("-e", *ends, "--json"))
    assert result["stop"] == "\ufffd" and base64.b64decode(result["stop_base64"]) == b"\xff"


def test_samples_of_documents_are_lines(out: Any, folder: Path) -> None:
    model = slm.load(folder / "names.safetensors")
    args = ("-n", "8", "--seed", "3", "--max-bytes", "30")
    samples = model.generate(b"", 30, num_samples=8, seed=3)
    assert out(*args, model="names") == b"".join(sample + b"\n" for sample in samples)
    with_newline = out("--prompt", "A\nB", *args, model="names")
    assert with_newline.count(b"---\n") == 7
    assert out(*args).count(b"---\n") == 7  # a model of one text
    end = ("--logit-bias", "\udcff=1000", "--json")
    result = json.loads(out("-n", "1", *end, model="names"))
    assert result == {"sample": 0, "text": "", "finish_reason": "end", "stop": None}
    on = json.loads(out("-n", "1", "--max-bytes", "9", "--ignore-end", *end, model="names"))
    assert on["finish_reason"] == "length" and len(on["text"]) == 9


def test_no_sample_ends_within_a_character(out: Any) -> None:
    for max_bytes in range(1, 8):
        args = ("--max-bytes", str(max_bytes), "--prompt", "€", "--temperature", "0")
        force = ("-e", "--allowed", r"\xe2\x82\xac", "--logit-bias", r"\xe2=99")
        text = out(*args, *force)  # repeats the first byte, which is no UTF-8 from the second on
        assert len(text) == 3 + (max_bytes if max_bytes > 1 else 0)


def interactive(folder: Path, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    """The command with these prompts."""
    command = [sys.executable, "-m", "slm", "generate", "-m", "text.safetensors", "--interactive"]
    command += ["--max-bytes", "20", "--seed", "1", "-e"]
    return subprocess.run(command, cwd=folder, input=lines, capture_output=True, timeout=60)


def test_interactive_reads_lines_of_a_pipe(folder: Path) -> None:
    model = slm.load(folder / "text.safetensors")
    done = interactive(folder, b"the\n\\x74he\n\xff fox")
    assert done.returncode == 0 and done.stderr == b""
    texts = [
        model.generate(prompt, 20, seed=1, include_prompt=False)
        for prompt in (b"the", b"the", b"\xff fox")
    ]
    assert done.stdout == b"".join(text if text.endswith(b"\n") else text + b"\n" for text in texts)


def test_interactive_goes_on_after_an_unknown_escape(folder: Path) -> None:
    done = interactive(folder, b"C:\\q\nthe\n")
    assert done.returncode == 0
    assert (
        done.stderr.startswith(b"slm: error: the escape \\q in") and done.stderr.count(b"\n") == 1
    )
    text = slm.load(folder / "text.safetensors").generate(b"the", 20, seed=1, include_prompt=False)
    assert done.stdout == (text if text.endswith(b"\n") else text + b"\n")


def test_interactive_with_json_or_several_samples(out: Any) -> None:
    for option in (("--json",), ("-n", "2")):
        assert b"--interactive prints" in out("--interactive", *option, status=1)


@contextmanager
def terminal(*args: str, cwd: Path) -> Iterator[tuple[Any, int]]:
    """The command with a terminal of its own, and the other end of that."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "slm", "generate", *args],
        cwd=cwd,
        env={**os.environ, "TERM": "dumb"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        yield process, master
    finally:
        process.kill()
        process.wait()
        os.close(master)


def read_until(master: int, end: bytes, size: int = 0) -> bytes:
    shown = b""
    while not (len(shown) >= size and shown.endswith(end)):
        shown += os.read(master, 1 << 16)
    return shown


def test_the_prompt_loop(folder: Path) -> None:
    options = ("-m", "text.safetensors", "--interactive", "--quiet", "--seed", "1")
    model = slm.load(folder / "text.safetensors")
    with terminal(*options, "--max-bytes", "20", cwd=folder) as (process, master):
        assert read_until(master, b"> ") == b"> "
        for prompt in (b"the", b"fox"):
            os.write(master, prompt + b"\n")
            shown = read_until(master, b"> ").replace(b"\r\n", b"\n")
            text = model.generate(prompt, 20, seed=1, include_prompt=False)
            assert shown == prompt + b"\n" + text.rstrip(b"\n") + b"\n> "
        os.write(master, b"\x04")  # Ctrl-D
        assert process.wait(timeout=30) == 0


def test_ctrl_c_ends_the_text_and_then_the_loop(folder: Path) -> None:
    options = ("-m", "text.safetensors", "--interactive", "--quiet", "--max-bytes", str(10**9))
    with terminal(*options, cwd=folder) as (process, master):
        for _ in range(2):
            read_until(master, b"> ")
            os.write(master, b"the\n")
            read_until(master, b"", size=100)
            os.write(master, b"\x03")
        read_until(master, b"> ")
        # Python's readline does not notice a signal between the prompt and its wait for a key.
        for _ in range(60):
            os.write(master, b"\x03")
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
                break
        assert process.returncode == 130


def test_control_characters_do_not_reach_a_terminal(folder: Path) -> None:
    options = ("-m", "text.safetensors", "-e", "--allowed", r"\x1b\x07\x9b", "--prompt", r"\x1b[2J")
    for several in ((), ("-n", "2")):
        with terminal(*options, *several, "--max-bytes", "30", cwd=folder) as (process, master):
            shown = read_terminal(master)
            assert process.wait(timeout=30) == 0
        assert rb"\x1b[2J" in shown and rb"\x07" in shown
        assert all(byte >= 32 or byte in b"\r\n" for byte in shown) and max(shown) < 127
