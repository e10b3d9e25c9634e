"""The bench: that its figures hang together. How large they are is for docs/performance.md."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slm
from slm import cli
from slm.bench.meters import Bench, best_of, repeated
from slm.bench.sizes import label, multiplied_weights, reference_size, standard_sizes

TINY = ["--preset", "seed-small", "--embed-dim", "8", "--state-dim", "8", "--num-layers", "1"]
WINDOW = ["--seq-len", "16", "--batch-size", "2"]
TINY_SIZE = reference_size(8, 8, 1, 16, 2)


def bench(*args: str, folder: Path) -> str:
    command = [sys.executable, "-m", "slm", "bench", *TINY, *WINDOW, "--rounds", "1", *args]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return done.stdout.decode()


def test_json_has_every_figure(tmp_path: Path) -> None:
    (line,) = bench("--json", "--threads", "1", folder=tmp_path).splitlines()
    f = json.loads(line)
    assert f["name"] == label(TINY_SIZE) == "E=8 N=8 L=1 T=16 B=2"
    assert (f["embed_dim"], f["seq_len"], f["batch_size"], f["threads"]) == (8, 16, 2, 1)
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


def test_text_tells_the_machine_and_the_size(tmp_path: Path) -> None:
    first, *rest = bench("--threads", "2", folder=tmp_path).splitlines()
    assert slm._core.isa() in first and ", 2 threads, " in first
    assert "GFLOP/s" in first and "GB/s" in first
    assert rest[1] == f"{label(TINY_SIZE)}, 6,272 parameters"
    words = [line.split()[0] for line in rest[2:]]
    assert words == ["training", "of", "generation", "prompt", "scoring"]


def test_phases_add_up_to_the_step() -> None:
    bench = Bench(TINY_SIZE, threads=1, seconds=0)
    rate = bench.profile()()
    seconds = TINY_SIZE.training.seq_len * TINY_SIZE.training.batch_size / rate
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
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("slm: error: ") and sentence in said.err


def test_without_pytorch_a_comparison_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "slm.bench.peer", raising=False)
    assert cli.main(["bench", "--against", "torch"]) == 1
    assert "needs PyTorch, which is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("scan", [False, True])
def test_pytorch_computes_the_same_step(scan: bool) -> None:
    pytest.importorskip("torch")
    from slm.bench.peer import TorchModel

    model = slm.Model("seed-small", embed_dim=7, state_dim=9, num_layers=3)
    peer = TorchModel(model, 0.01, scan=scan, threads=1)
    window = np.random.default_rng(1).integers(0, 256, (21, 4), dtype=np.uint8)
    loss, gradients = model.gradients(window[:-1], window[1:])
    peer_loss = peer.loss(window[:-1], window[1:])
    peer_loss.backward()
    assert peer_loss.item() == pytest.approx(loss, rel=1e-6)
    for name, gradient in gradients.items():
        theirs = peer.parameters[name].grad.numpy()
        np.testing.assert_allclose(theirs, gradient, rtol=1e-3, atol=1e-6, err_msg=name)

    trainer = slm.Trainer(model, learning_rate=0.01, schedule="constant", warmup_steps=0)
    for _ in range(3):
        ours = trainer.step(window[:-1], window[1:])
        assert peer.step(window[:-1], window[1:]) == pytest.approx(ours, rel=1e-4)
