"""`slm bench`: its figures are consistent with each other. docs/performance.md has their values."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import slm
from models import command_options
from slm import cli
from slm.bench.meters import Bench, best_of, repeated, windows
from slm.bench.sizes import (
    label,
    multiplied_weights,
    reference_size,
    standard_sizes,
    without_ngrams,
)

TINY = command_options({**models.TINY, "seq_len": 16, "batch_size": 2})
TINY_SIZE = reference_size(12, 10, 2, 16, 2)
GATED: dict[str, Any] = {
    "cell": "gated",
    "embed_dim": 7,
    "state_dim": 9,
    "num_layers": 2,
    "residual": True,
    "norm": "rms",
    "ngram_orders": (2, 3, 5),
    "ngram_buckets": 64,
}
NGRAMS = ["--cell", "gated", "--ngram-orders", "2,4", "--ngram-buckets", "64"]


def bench(*args: str, folder: Path) -> str:
    command = [sys.executable, "-m", "slm", "bench", *TINY, "--rounds", "1", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def test_json_has_every_figure(tmp_path: Path) -> None:
    (line,) = bench("--json", "--threads", "1", folder=tmp_path).splitlines()
    f = json.loads(line)
    assert f["name"] == label(TINY_SIZE) == "E=12 N=10 L=2 T=16 B=2"
    assert (f["embed_dim"], f["seq_len"], f["batch_size"], f["threads"]) == (12, 16, 2, 1)
    assert f["isa"] == slm._core.isa() and f["cpu"] and f["version"] == slm.__version__
    rates = {
        name: f[f"{name}_bytes_per_second"] for name in ("train", "generate", "prompt", "score")
    }
    assert all(rate > 0 for rate in rates.values())
    assert f["memory_read_gbps"] > 0 and f["read_gbps"] > 0
    assert f["train_share"] == pytest.approx(f["train_gflops"] / f["fma_gflops"])
    assert f["train_gflops"] == pytest.approx(6e-9 * f["multiplied_weights"] * rates["train"])
    limits = {
        "read": f["read_gbps"] * 1e9 / (4 * f["multiplied_weights"]),
        "fma": f["fma_gflops"] * 1e9 / (2 * f["multiplied_weights"]),
    }
    assert limits[f["generate_limit"]] == min(limits.values())
    assert f["generate_share"] == pytest.approx(rates["generate"] / min(limits.values()))
    assert f["train_memory"] > 4 * 4 * f["num_parameters"]  # weights, gradients, two moments
    assert {"layer_forward", "layer_backward", "update", "other"} <= {*f["phases"]}
    assert all(seconds >= 0 for seconds in f["phases"].values())


def test_text_names_the_machine_and_the_size(tmp_path: Path) -> None:
    first, *rest = bench("--threads", "2", folder=tmp_path).splitlines()
    assert slm._core.isa() in first and ", 2 threads, " in first
    assert "GFLOP/s" in first and "GB/s" in first
    assert rest[1] == f"{label(TINY_SIZE)}, {slm.Model(TINY_SIZE).num_parameters:,} parameters"
    words = [line.split()[0] for line in rest[2:]]
    assert words == ["training", "of", "generation", "prompt", "scoring"]


@pytest.mark.slow
def test_cost_of_ngrams_is_reported(tmp_path: Path) -> None:
    plain = json.loads(bench("--json", "--threads", "1", folder=tmp_path))
    assert "ngram_share" not in plain
    f = json.loads(bench("--json", "--threads", "1", *NGRAMS, folder=tmp_path))
    assert f["name"] == "gated E=12 N=10 L=2 n=2,4:64 T=16 B=2"
    assert f["multiplied_weights"] == 2 * (12 * 3 * 10 + 10 * 12) + 12 * 256
    assert f["ngram_share"] < 1
    lines = bench("--threads", "1", *NGRAMS, folder=tmp_path).splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["training", "of", "tables"]
    assert lines[5].endswith("% of a step (n-grams and matches)")


def test_without_ngrams_all_else_is_the_same() -> None:
    base = TINY_SIZE
    size = replace(base, config=replace(base.config, cell="gated", ngram_orders=(2, 3)))
    assert without_ngrams(size) == replace(base, config=replace(base.config, cell="gated"))


def test_windows_follow_each_other() -> None:
    text = np.arange(100, dtype=np.uint8)
    parts = windows(text, 4, 3)  # three parts of 33 bytes
    assert len(parts) == 8
    for i, (inputs, targets) in enumerate(parts):
        first = np.arange(4 * i, 4 * i + 4)[:, None] + [0, 33, 66]
        assert np.array_equal(inputs, first) and np.array_equal(targets, first + 1)
    ((inputs, targets),) = windows(text[:5], 4, 3)
    assert inputs.T.tobytes() == bytes([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3])
    assert targets.T.tobytes() == bytes([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])


def test_phases_add_up_to_the_step() -> None:
    bench = Bench(TINY_SIZE, threads=1, seconds=0)
    rate = bench.profile()()
    seconds = TINY_SIZE.train_config.seq_len * TINY_SIZE.train_config.batch_size / rate
    # The clock of the step is read just before and after the clock of the meter.
    assert 0 < sum(bench.phases.values()) <= seconds
    assert min(bench.phases.values()) >= 0


def test_the_best_of_interleaved_rounds_counts() -> None:
    calls = []

    def meter(name: str, rates: list[float]) -> float:
        calls.append(name)
        return rates.pop(0)

    a, b = [2.0, 3.0, 1.0], [5.0, 4.0, 6.0]
    best = best_of(3, {"a": lambda: meter("a", a), "b": lambda: meter("b", b)})
    assert best == {"a": 3.0, "b": 6.0}
    assert calls == ["a", "b"] * 3


def test_repeated_warms_up_and_runs_at_least_once() -> None:
    runs: list[int] = []
    meter = repeated(lambda: runs.append(1), num_bytes=10, seconds=0)
    assert len(runs) == 1
    assert meter() > 0
    assert len(runs) == 2


def test_what_counts_as_useful() -> None:
    model = slm.Model("seed-small", embed_dim=3, state_dim=5, num_layers=2)
    inner, last = (5 + 3) * (5 + 3), (5 + 256) * (5 + 3)
    assert multiplied_weights(model) == inner + last


@pytest.mark.parametrize("tied", [False, True])
def test_what_counts_as_useful_beyond_the_reference(tied: bool) -> None:
    options = GATED | {"embed_dim": 3, "state_dim": 5, "mlp_dim": 4, "tie_embeddings": tied}
    layer = 3 * 5 * 3 + 5 * 3 + 3 * 4 * 3
    for ngram_dim, projections in ((0, 0), (2, 3 * 3 * 2)):
        model = slm.Model("seed-small", **options, ngram_dim=ngram_dim)
        assert multiplied_weights(model) == 2 * layer + 256 * 3 + projections


def test_standard_sizes() -> None:
    sizes = standard_sizes()
    assert {*slm.presets()} <= {*sizes}
    assert len({*map(label, sizes.values())}) == len(sizes)
    wanted = ["E=128 N=128 L=2 T=128 B=32", "E=256 N=256 L=4 T=256 B=16"]
    assert {*wanted, "E=512 N=256 L=8 T=256 B=16"} <= {*map(label, sizes.values())}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--rounds", "0"], "rounds is 0"),
        (["--threads", "-1"], "threads is -1"),
        (["--preset", "huge"], "huge"),
        (["--embed-dim", "0"], "embed_dim"),
        (["--seq-len", "0"], "seq_len"),
    ],
)
def test_refuses(args: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "--json", "--rounds", "1", *args]) == 1
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("slm: error: ") and sentence in output.err


def test_comparison_without_pytorch_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "slm.bench.peer", raising=False)
    assert cli.main(["bench", "--against", "torch"]) == 1
    assert "PyTorch" in capsys.readouterr().err


PEER_MODELS: dict[str, dict[str, Any]] = {
    "dense": {"embed_dim": 7, "state_dim": 9, "num_layers": 3},
    "dense-ngrams": {**GATED, "cell": "dense", "mlp_dim": 4},
    "gated": GATED,
    "gated-mlp-tied": {**GATED, "mlp_dim": 5, "tie_embeddings": True, "head_bias": True},
    "gated-bias": {**GATED, "head_bias": True},
    "gated-narrow-plain": {**GATED, "ngram_dim": 3, "norm": "none", "residual": False},
    "gated-matches": {**GATED, "match_lengths": (2, 4), "match_span": 15},
    "gated-narrow-matches": {**GATED, "ngram_orders": (), "match_lengths": (3, 9), "ngram_dim": 3},
}


def peer_models(scan: bool, options: dict[str, Any], **training: Any) -> tuple[Any, Any, Any]:
    """A model with n-gram tables that are not zero, its trainer, and its copy in PyTorch."""
    pytest.importorskip("torch")
    from slm.bench.peer import TorchModel

    model = slm.Model("seed-small", **options)
    rng = np.random.default_rng(2)
    model.set_parameters(
        {
            name: rng.normal(0, 0.3, values.shape)
            for name, values in model.parameters.items()
            if name.startswith(("ngram.", "match."))
        }
    )
    how = {"learning_rate": 0.01, "schedule": "constant", "warmup_steps": 0, "beta2": 0.98}
    model.train_config = replace(model.train_config, **how, **training)
    trainer = slm.Trainer(model)
    return model, trainer, TorchModel(model, 0.01, scan=scan, threads=1)


def random_window(seq_len: int, seed: int) -> Any:
    """Few different bytes, so that n-grams come again."""
    return np.random.default_rng(seed).integers(97, 101, (seq_len + 1, 4), dtype=np.uint8)


def peer_gradients(peer: Any) -> dict[str, Any]:
    gradients = {name: p.grad.numpy() for name, p in peer.parameters.items()}
    if peer.ngrams:
        full = np.zeros(peer.ngrams.weight.shape, np.float32)
        full[peer.ngrams.rows] = peer.ngrams.gradient
        gradients |= by_table(peer, full)
    return gradients


def by_table(peer: Any, rows: Any) -> dict[str, Any]:
    parts = np.split(rows, peer.ngrams.firsts[1:])
    return dict(zip(peer.ngrams.names, parts, strict=True))


@pytest.mark.parametrize("scan", [False, True])
@pytest.mark.parametrize("options", PEER_MODELS.values(), ids=PEER_MODELS)
def test_pytorch_computes_the_same_step(scan: bool, options: dict[str, Any]) -> None:
    model, trainer, peer = peer_models(scan, options, clip_norm=0.001)
    window = random_window(21, seed=1)
    loss, gradients = model.gradients(window[:-1], window[1:])
    peer_loss = peer.loss(window[:-1], window[1:])
    peer_loss.backward()
    assert peer_loss.item() == pytest.approx(loss, rel=1e-6)
    theirs = peer_gradients(peer)
    assert {*theirs} == {*gradients}
    for name, gradient in gradients.items():
        np.testing.assert_allclose(theirs[name], gradient, rtol=1e-3, atol=1e-6, err_msg=name)

    for i, seq_len in enumerate((21, 3, 21, 21)):  # 3: shorter than an n-gram
        window = random_window(seq_len, seed=i)
        ours = trainer.step(window[:-1], window[1:])
        assert peer.step(window[:-1], window[1:]) == pytest.approx(ours, rel=1e-4)
    assert trainer.grad_norm > 0.001  # or clipping was not tested
    after = model.parameters
    for name, rows in by_table(peer, peer.ngrams.weight.numpy()).items() if peer.ngrams else ():
        np.testing.assert_allclose(rows, after[name], atol=2e-4, err_msg=name)


def test_pytorch_drops_as_often() -> None:
    _, _, peer = peer_models(True, {**GATED, "ngram_orders": (2,)}, dropout=0.25)
    window = random_window(2000, seed=1)
    bytes_alone = peer.parameters["embedding.weight"].detach().numpy()[window[:-1]]
    vectors = peer._embed(window[:-1]).detach().numpy() - bytes_alone
    dropped = (np.abs(vectors[1:]) < 1e-6).all(axis=-1).mean()  # whole, or not at all
    assert dropped == pytest.approx(0.25, abs=0.01)
    peer.step(window[:-1], window[1:])
    assert peer.ngrams.gradient.abs().sum() > 0
