"""The command line, run as a user runs it: a process, its two streams and its exit status."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import slm
from models import command_options
from project import read_terminal
from slm.cli import main

TEXT = b"the quick brown fox jumps over the lazy dog\n" * 200
TINY = command_options({**models.TINY, "batch_size": 4, "seq_len": 16})
ALL_OPTIONS = command_options({**models.ALL_OPTIONS, "dropout": "auto", "min_lr_ratio": 0.1})


def slm_command(*args: str | Path, folder: Path, **options: Any) -> Any:
    command = [sys.executable, "-m", "slm", *map(str, args)]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=120, **options)


def results(*args: str | Path, folder: Path, **options: Any) -> bytes:
    done = slm_command(*args, folder=folder, **options)
    assert done.returncode == 0, done.stderr.decode()
    assert isinstance(done.stdout, bytes)
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a text and a model trained on it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "text.txt").write_bytes(TEXT)
    results("train", "text.txt", "--steps", "30", "--dropout", "auto", *TINY, folder=folder)
    return folder


def test_train_writes_model_and_checkpoint_and_says_what_to_do_next(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    done = slm_command(
        "train", "text.txt", "--steps", "20", "-o", "my model.st", *TINY, folder=tmp_path
    )
    assert done.returncode == 0 and done.stdout == b""
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["my model.ckpt.safetensors", "my model.st", "text.txt"]
    lines = done.stderr.decode().splitlines()
    assert sum(line.startswith("step ") for line in lines) == 10
    assert any(line.startswith("  | ") for line in lines)
    assert lines[-1].endswith("slm generate -m 'my model.st'")
    model = slm.load(tmp_path / "my model.st")
    assert model.config.embed_dim == 12 and model.train_config.steps == 20


def test_train_quiet_and_json(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    done = slm_command(
        "train", "text.txt", "--steps", "2", "--quiet", "--json", *TINY, folder=tmp_path
    )
    assert done.returncode == 0 and done.stderr == b""
    result = json.loads(done.stdout)
    assert result["steps"] == 2 and result["model"] == "slm.safetensors"
    assert result["best_loss"] == min(e["validation_loss"] for e in result["evaluations"])


def test_train_without_a_file_takes_the_bundled_corpus(tmp_path: Path) -> None:
    done = slm_command("train", "--steps", "2", "--validation", "0", *TINY, folder=tmp_path)
    assert done.returncode == 0 and b"tinyshakespeare" in done.stderr
    done = slm_command("generate", "--max-bytes", "5", folder=tmp_path)
    assert done.returncode == 0 and b"using slm.safetensors" in done.stderr


def test_train_says_python_does(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    (tmp_path / "valid.txt").write_bytes(TEXT[:300])
    results(
        *("train", "text.txt", "--steps", "8", "--seed", "5", "--learning-rate", "0.02"),
        *("--validation", "valid.txt", "--schedule", "constant", "--eval-every", "3", *TINY),
        folder=tmp_path,
    )
    model = slm.Model("seed-small", embed_dim=12, state_dim=10, seed=5, precision="auto")
    options: dict[str, Any] = {"batch_size": 4, "seq_len": 16, "learning_rate": 0.02}
    model.train(
        tmp_path / "text.txt",
        steps=8,
        seed=5,
        validation=tmp_path / "valid.txt",
        schedule="constant",
        eval_every=3,
        **options,
    )
    loaded = slm.load(tmp_path / "slm.safetensors")
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(loaded.parameters[name], value)


def test_train_from_a_model(folder: Path) -> None:
    before = slm.load(folder / "slm.safetensors")
    results(
        *("train", "text.txt", "--from", "slm.safetensors", "--steps", "1", "-o", "from.st"),
        *("--learning-rate", "1e-9"),
        folder=folder,
    )
    after = slm.load(folder / "from.st")
    assert after.config == before.config and after.train_config.steps == 1
    np.testing.assert_allclose(
        after.parameters["layers.0.A"], before.parameters["layers.0.A"], atol=1e-6
    )


def test_a_short_text_is_noted(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(b"to be")
    done = slm_command("train", "text.txt", "--steps", "1", *TINY, folder=tmp_path)
    assert done.returncode == 0 and b"slm: note: " in done.stderr
    assert b"Warning" not in done.stderr


@pytest.mark.slow
def test_ctrl_c_then_resume_is_no_interruption(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    args = ["train", "text.txt", "--steps", "600", "--checkpoint-seconds", "1000", *TINY]
    args[-1:] = ["64", "--embed-dim", "64"]
    results(*args, "-o", "whole.st", folder=tmp_path)

    command = [sys.executable, "-m", "slm", *args, "-o", "cut.st"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    assert process.stderr is not None
    while not process.stderr.readline().startswith(b"step 60/"):
        pass
    process.send_signal(signal.SIGINT)
    rest = process.communicate()[1].decode()
    assert process.returncode == 130 and "Traceback" not in rest
    assert rest.splitlines()[-1].endswith("-o cut.st --resume")
    assert (tmp_path / "cut.ckpt.safetensors").exists() and not (tmp_path / "cut.st").exists()

    done = slm_command(*args, "-o", "cut.st", folder=tmp_path)
    assert done.returncode == 1 and b"holds a run" in done.stderr
    results(*args, "-o", "cut.st", "--resume", folder=tmp_path)
    whole, cut = slm.load(tmp_path / "whole.st"), slm.load(tmp_path / "cut.st")
    for name, value in whole.parameters.items():
        np.testing.assert_array_equal(cut.parameters[name], value)


def test_resume_needs_no_option_of_the_model_again(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    results("train", "text.txt", "--steps", "3", *TINY, folder=tmp_path)
    (tmp_path / "slm.safetensors").unlink()
    results("train", "text.txt", "--resume", folder=tmp_path)
    assert slm.load(tmp_path / "slm.safetensors").config.embed_dim == 12


def test_time(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    out = results("train", "text.txt", "--time", "0.02m", "--json", *TINY, folder=tmp_path)
    result = json.loads(out)
    assert result["config"]["steps"] >= result["steps"] >= 1
    # The checkpoint knows how long the run was to be. Where a busy machine had to end it before its
    # plan, what is left of the time may be enough for one step more.
    args = ["train", "text.txt", "--resume", "--json"]
    resumed = json.loads(results(*args, folder=tmp_path))["steps"]
    assert result["steps"] <= resumed <= min(result["steps"] + 1, result["config"]["steps"])


def test_a_terminal_gets_one_live_line(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    command = [sys.executable, "-m", "slm", "train", "text.txt", "--steps", "40", *TINY]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=slave, stdout=slave)
    os.close(slave)
    shown = read_terminal(master)
    os.close(master)
    assert process.wait() == 0
    text = shown.decode()
    live = [part for part in text.split("\r") if "%|" in part]
    assert len(live) > 5
    assert all(word in live[-1] for word in ("40/40", "loss", "validation", "B/s", "0:00 left"))
    assert text.count("\n") < 40


def test_a_stream_that_is_closed_or_of_another_encoding_is_no_error(folder: Path) -> None:
    name = os.fsdecode("é".encode() + b"\xff.txt")
    (folder / name).write_bytes(TEXT)
    for encoding in ("ascii", "utf-8"):  # utf-8 alone is strict and refuses the byte
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        assert b"nats per byte" in results("score", name, folder=folder, env=env)
        assert results("train", "--help", folder=folder, env=env)
    model = ["generate", "--max-bytes", "3"]
    for closed in ("<&-", ">&-", "2>&-"):
        command = ["bash", "-c", f'"$@" {closed}', "-", sys.executable, "-m", "slm", *model]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
        assert done.returncode == 0 and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["score --lines -", "score -", "generate --prompt -", "generate --interactive"]
)
def test_a_closed_standard_input_that_is_to_be_read(folder: Path, command: str) -> None:
    shell = ["bash", "-c", f"{sys.executable} -m slm {command} --quiet <&-"]
    done = subprocess.run(shell, cwd=folder, capture_output=True, timeout=120)
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr == b"slm: error: standard input is closed, but is to be read\n"


def test_letters_that_the_locale_lacks(folder: Path) -> None:
    name = os.fsdecode("é".encode() + b"\xff")
    (folder / name).write_text("дом\n")
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out = results("score", "--lines", name, "--quiet", folder=folder, env=env)
    _, num_bytes, place, line = out.rstrip(b"\n").split(b"\t")
    assert (num_bytes, place, line) == (b"6", os.fsencode(name) + b":1", rb"\u0434\u043e\u043c")


def test_generate_streams_the_bytes_of_python(folder: Path) -> None:
    model = slm.load(folder / "slm.safetensors")
    out = results("generate", "--prompt", "the", "--max-bytes", "50", "--seed", "1", folder=folder)
    assert out == model.generate(b"the", 50, seed=1)
    out = results(
        *("generate", "-m", "slm.safetensors", "--prompt", "-", "--no-include-prompt"),
        *("--max-bytes", "50", "--seed", "2", "--temperature", "0.7", "--top-p", "0.9"),
        *("--top-k", "9", "--min-p", "0.01", "--stop", "zz", "--stop", "q"),
        folder=folder,
        input=b"\xff any bytes",
    )
    assert out == model.generate(
        b"\xff any bytes",
        50,
        seed=2,
        temperature=0.7,
        top_p=0.9,
        top_k=9,
        min_p=0.01,
        stop=["zz", "q"],
        include_prompt=False,
    )


def test_generate_several(folder: Path) -> None:
    model = slm.load(folder / "slm.safetensors")
    samples = model.generate("the", 20, seed=1, num_samples=3)
    args = ("generate", "--prompt", "the", "--max-bytes", "20", "--seed", "1", "-n", "3")
    out = results(*args, folder=folder).decode(errors="replace")
    assert out == "\n---\n".join(samples) + "\n"
    lines = results(*args, "--json", folder=folder).splitlines()
    assert [json.loads(line)["text"] for line in lines] == samples


def test_generate_comes_as_it_is_drawn_and_stops_on_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "slm", "generate", "--max-bytes", str(10**9)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(10)
    process.send_signal(signal.SIGINT)
    err = process.communicate()[1]
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_a_closed_pipe_is_quiet(folder: Path) -> None:
    program = f"{sys.executable} -m slm generate --quiet --max-bytes 1000000 | head -c 20"
    done = subprocess.run(["bash", "-c", program], cwd=folder, capture_output=True, timeout=60)
    assert len(done.stdout) == 20 and done.stderr == b""


def test_score(folder: Path) -> None:
    expected = slm.load(folder / "slm.safetensors").score(TEXT)
    out = results("score", "text.txt", folder=folder).decode()
    assert out.startswith(f"text.txt: {expected.nats_per_byte:.4f} nats per byte")
    lines = results("score", "text.txt", "text.txt", "--json", folder=folder).splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0]) == {
        "file": "text.txt",
        "num_bytes": expected.num_bytes,
        "nats_per_byte": expected.nats_per_byte,
        "bits_per_byte": expected.bits_per_byte,
        "perplexity": expected.perplexity,
    }
    done = slm_command("score", "text.txt", "--per-byte", folder=folder)
    rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert [int(row[2]) for row in rows] == list(TEXT)
    np.testing.assert_allclose(
        [float(row[3]) for row in rows], expected.log_probs, rtol=1e-5, atol=1e-6
    )
    assert b"nats per byte" in done.stderr
    out = results("score", "text.txt", "--per-byte", "--json", folder=folder).decode()
    assert len(json.loads(out)["log_probs"]) == len(TEXT)


def test_info(folder: Path) -> None:
    facts = json.loads(results("info", "slm.safetensors", "--json", folder=folder))
    assert facts["config"]["embed_dim"] == 12 and facts["train_config"]["steps"] == 30
    assert facts["train_config"]["dropout"] == -1  # "auto" in a file
    assert facts["last_run"] == {**facts["train_config"], "dropout": 0}  # less than one pass
    assert facts["tensors"]["embedding.weight"] == [256, 12]
    assert bytes(facts["seen bytes"]) == slm.load(folder / "slm.safetensors").seen_bytes
    assert set(facts["seen bytes"]) == set(TEXT)
    text = results("info", "slm.safetensors", folder=folder)
    assert b"latest run used                dropout 0" in text
    assert b"layers.0.A" in text and b"residual" not in text and b"n-gram" not in text
    assert f"{len(set(TEXT))} of 256: ".encode() in text
    installation = json.loads(results("info", "--json", folder=folder))
    assert installation["version"] == slm.__version__ and installation["device"] == "cpu"


def test_a_model_with_options(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    results("train", "text.txt", "--steps", "30", *TINY, *ALL_OPTIONS, folder=tmp_path)
    model = slm.load(tmp_path / "slm.safetensors")
    assert model.config.cell == "gated" and model.config.ngram_orders == (2, 3)
    assert model.config.residual and model.config.tie_embeddings

    facts = json.loads(results("info", "slm.safetensors", "--json", folder=tmp_path))
    assert facts["config"]["ngram_orders"] == [2, 3] and facts["config"]["mlp_dim"] == 6
    tables = [f"{name}.weight" for name in ("ngram.2", "ngram.3", "match.2", "match.4")]
    rows = {name: model.parameters[name].any(axis=1) for name in tables}
    assert facts["table rows"] == {name: [sum(used), len(used)] for name, used in rows.items()}
    assert 0 < facts["table rows"]["ngram.2.weight"][0] < 65536

    lines = results("info", "slm.safetensors", folder=tmp_path).decode().splitlines()
    options = dict(line.split() for line in lines if line.startswith("  ") and "[" not in line)
    assert options["ngram_orders"] == "2,3" and options["match_lengths"] == "2,4"
    assert options["residual"] == "True"
    assert options["dropout"] == "auto" and "input_noise" not in options
    (line,) = [line for line in lines if "n-grams and matches" in line]
    assert f"{sum(sum(used) for used in rows.values()):,} of 68,672 rows" in line
    assert not any(name in line for line in lines for name in tables)


def test_options_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(TEXT)
    off = ["--no-residual", "--ngram-orders", "none", "--no-recompute"]
    args = ["train", "text.txt", "--steps", "1", *TINY, *ALL_OPTIONS, "--recompute", *off]
    results(*args, folder=tmp_path)
    model = slm.load(tmp_path / "slm.safetensors")
    assert model.config.ngram_orders == () and not model.config.residual
    assert not model.train_config.recompute

    no_head = ["--cell", "dense", "--norm", "none", "--no-residual"]
    short = ["train", "text.txt", "-o", "dense.safetensors", "--preset", "nano", "--steps", "1"]
    results(*short, *no_head, "--embed-dim", "8", "--state-dim", "8", folder=tmp_path)
    assert not slm.load(tmp_path / "dense.safetensors").config.head_bias
    asked_for = slm_command(*short, "--overwrite", *no_head, "--head-bias", folder=tmp_path)
    assert asked_for.returncode == 1 and b"set head_bias to false" in asked_for.stderr


def test_export(folder: Path) -> None:
    before = slm.load(folder / "slm.safetensors")
    out = results("export", "slm.safetensors", "-o", "small.safetensors", folder=folder).decode()
    sizes = [(folder / name).stat().st_size for name in ("slm.safetensors", "small.safetensors")]
    first, second = out.splitlines()
    assert first == f"slm.safetensors: {sizes[0]:,} bytes"
    assert second.startswith(f"small.safetensors: {sizes[1]:,} bytes, int8")
    assert slm.load(folder / "small.safetensors").config == before.config
    args = ("export", "slm.safetensors", "-o", "small.safetensors", "--dtype", "float16")
    assert slm_command(*args, folder=folder).returncode == 1
    result = json.loads(results(*args, "--overwrite", "--json", folder=folder))
    assert result["bytes"] == sizes[0] and sizes[1] < result["output_bytes"] < sizes[0]


def test_score_that_adapts(folder: Path) -> None:
    model = slm.load(folder / "slm.safetensors")
    expected = model.score(TEXT, adapt=True).nats_per_byte
    lines = results(
        "score", "--adapt", "--json", "text.txt", "text.txt", folder=folder
    ).splitlines()
    assert [json.loads(line)["nats_per_byte"] for line in lines] == [expected, expected]
    assert expected != model.score(TEXT).nats_per_byte


def test_the_model_that_comes_with_slm(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("slm.bundled.BUNDLED_MODEL", str(folder / "slm.safetensors"))
    assert main(["generate", "--max-bytes", "9", "--seed", "1"]) == 0
    out, err = capsysbinary.readouterr()
    assert out == slm.load(folder / "slm.safetensors").generate(b"", 9, seed=1)
    assert err.count(b"\n") == 1 and b"slm.safetensors" in err and b"English" in err
    assert main(["score", "--quiet", str(folder / "text.txt")]) == 0
    assert capsysbinary.readouterr().err == b""


def test_presets(folder: Path) -> None:
    lines = results("presets", "--json", folder=folder).splitlines()
    by_name = {value["name"]: value for value in map(json.loads, lines)}
    assert set(by_name) == set(slm.presets()) and by_name[slm.default_preset]["default"]
    assert b"(default)" in results("presets", folder=folder)


def test_help_and_version(folder: Path) -> None:
    assert results("--version", folder=folder).decode().strip() == f"slm {slm.__version__}"
    for command in ("train", "generate", "score", "export", "info", "presets"):
        assert b"--quiet" in results(command, "--help", folder=folder)
        assert command.encode() in results("--help", folder=folder)


def test_errors_are_one_line_without_a_traceback(folder: Path) -> None:
    done = slm_command("train", "no such file", folder=folder)
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr.startswith(b"slm: error: ") and done.stderr.count(b"\n") == 1


def test_one_step_is_no_steps(folder: Path) -> None:
    one = ("train", "text.txt", "-o", "one.safetensors", *TINY, "--steps")
    for steps, said in (("1", b"slm: 1 step in "), ("2", b"slm: 2 steps in ")):
        assert said in slm_command(*one, steps, "--overwrite", folder=folder).stderr
