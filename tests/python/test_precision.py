"""precision="bf16": it learns like float32, files do not know it, a resumed run has to keep it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slm
from models import TINY
from slm.cli import main

TEXT = b"To be, or not to be, that is the question. " * 40


def bf16_is_here() -> bool:
    try:
        slm.Model(**TINY, precision="bf16")
    except slm.DeviceError as error:
        assert "AVX512-BF16" in str(error)  # nothing else is a reason
        return False
    return True


def test_the_name_of_its_kernels_is_told() -> None:
    names = ("avx512_bf16", "amx_bf16") if bf16_is_here() else ("none",)
    assert slm._core.bf16_isa() in names


needs_bf16 = pytest.mark.skipif(not bf16_is_here(), reason="bf16 cannot be had here")


def test_auto_takes_it_where_it_is_faster(tmp_path: Path) -> None:
    model = slm.Model(**TINY, precision="auto")
    if not bf16_is_here():
        assert model.precision == "float32"
    elif slm._core.bf16_isa() == "amx_bf16":
        assert model.precision == "bf16"
    assert model.precision in ("float32", "bf16")
    model.save(tmp_path / "m.safetensors")
    assert slm.load(tmp_path / "m.safetensors", precision="auto").precision == model.precision
    same = slm.Model(**TINY, precision=model.precision)
    window = np.frombuffer(TEXT[:64], np.uint8).reshape(8, 8)
    assert np.array_equal(model.logits(window), same.logits(window))


def test_auto_is_float32_with_plain_kernels() -> None:
    code = f"import slm; print(slm.Model(**{TINY!r}, precision='auto').precision)"
    plain = os.environ | {"SLM_FORCE_ISA": "scalar"}
    run = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("float32\n", "")


@pytest.mark.slow
@needs_bf16
def test_it_learns_like_float32() -> None:
    text = slm.sample_text()[:300_000]
    losses = {}
    for precision in ("float32", "bf16"):
        model = slm.Model("seed-small", precision=precision)
        losses[precision] = model.train(text, steps=100, batch_size=16, eval_every=100).best_loss
    assert losses["float32"] < 2.6
    assert losses["bf16"] == pytest.approx(losses["float32"], abs=0.02)
    assert losses["bf16"] != losses["float32"]


@needs_bf16
def test_a_file_does_not_know_the_precision(tmp_path: Path) -> None:
    model = slm.Model(**TINY, precision="bf16")
    assert model.precision == "bf16"
    model.save(tmp_path / "m.safetensors")
    exact = slm.load(tmp_path / "m.safetensors")
    rounded = slm.load(tmp_path / "m.safetensors", precision="bf16")
    assert (exact.precision, rounded.precision) == ("float32", "bf16")
    for name, values in model.parameters.items():
        assert np.array_equal(exact.parameters[name], values)
    scores = [m.score(TEXT).log_probs for m in (model, rounded, exact)]
    assert np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
    assert scores[0] == pytest.approx(scores[2], abs=0.05)


@needs_bf16
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_run_resumes_in_its_own_precision_alone(precision: str, tmp_path: Path) -> None:
    plan: dict[str, Any] = {"steps": 6, "seq_len": 16, "batch_size": 4}
    plan["checkpoint"] = tmp_path / "run.ckpt.safetensors"

    def model(precision: str) -> slm.Model:
        return slm.Model(**TINY, precision=precision)

    expected = model(precision)
    expected.train(TEXT, **plan)
    model(precision).train(TEXT, **plan, callback=lambda p: p.step < 3)
    other = {"float32": "bf16", "bf16": "float32"}[precision]
    with pytest.raises(slm.TrainingError, match=f'precision.*"{precision}".*"{other}"'):
        model(other).train(TEXT, **plan, resume=True)
    resumed = model(precision)
    resumed.train(TEXT, **plan, resume=True)
    for name, values in expected.parameters.items():
        assert np.array_equal(resumed.parameters[name], values), name


@needs_bf16
def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_bytes(TEXT)
    options = ["--precision", "bf16", "--quiet"]
    small = ["--steps=2", "--seq-len=16", "--batch-size=2", "--embed-dim=8", "--state-dim=8"]
    assert main(["train", "text.txt", "--preset", "seed-small", *small, *options]) == 0
    assert main(["generate", "--max-bytes", "5", *options]) == 0
    assert main(["score", "text.txt", *options]) == 0
    assert main(["score", "text.txt", "--precision", "auto"]) == 0


@needs_bf16
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_command_line_resumes_in_the_precision_of_the_run(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_bytes(TEXT)
    small = ["--steps=2", "--seq-len=16", "--batch-size=2", "--embed-dim=8", "--state-dim=8"]
    run = ["train", "text.txt", *small]
    assert main([*run, "--precision", precision]) == 0
    assert ("cpu in bf16;" in capsys.readouterr().err) == (precision == "bf16")
    assert main([*run, "--resume", "--quiet"]) == 0
    other = {"float32": "bf16", "bf16": "float32"}[precision]
    assert main([*run, "--resume", "--precision", other]) == 1
    err = capsys.readouterr().err
    assert f'"{precision}"' in err and f'"{other}"' in err


def test_command_line_trains_in_the_faster_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_bytes(TEXT)
    small = ["--steps=2", "--seq-len=16", "--batch-size=2", "--embed-dim=8", "--state-dim=8"]
    assert main(["train", "text.txt", "--device=cpu", *small]) == 0
    faster = slm.Model(**TINY, device="cpu", precision="auto").precision == "bf16"
    assert (" in bf16;" in capsys.readouterr().err) == faster


def test_others_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slm.Model(**TINY).save(tmp_path / "m.safetensors")
    with pytest.raises(slm.ConfigError, match=r'fp8.*"float32".*"bf16".*"tf32".*"auto"'):
        slm.Model(**TINY, precision="fp8")
    with pytest.raises(slm.ConfigError, match='"bf17"'):
        slm.load(tmp_path / "m.safetensors", precision="bf17")
    with pytest.raises(TypeError, match=r"precision is .*, but must be a str"):
        slm.Model(**TINY, precision=16)  # type: ignore[arg-type]
    assert main(["generate", "-m", str(tmp_path / "m.safetensors"), "--precision", "half"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("slm: error: precision") and '"half"' in err
