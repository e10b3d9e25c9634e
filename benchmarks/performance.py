"""Measures the tables of docs/performance.md and prints them as Markdown.

    python benchmarks/performance.py [--rounds 5] [--threads 1 2] [--no-torch] [--presets]

`slm bench` measures one size. This program measures the sizes of the reference model and the
presets of the recommended model, how time grows with each dimension, and what small sizes gain from
vector instructions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from slm.bench import machine
from slm.bench.measure import measure
from slm.bench.meters import Bench, best_of
from slm.bench.sizes import label, recommended_sizes, reference_size

SIZES = [
    reference_size(128, 128, 2, 128, 32),
    reference_size(256, 256, 4, 256, 16),
    reference_size(512, 256, 8, 256, 16),
]
GROWTH = {
    "T": [reference_size(128, 128, 2, T, 32) for T in (64, 128, 256, 512)],
    "B": [reference_size(128, 128, 2, 128, B) for B in (16, 32, 64, 128)],
    "L": [reference_size(256, 256, L, 128, 16) for L in (1, 2, 4, 8)],
}
SMALL = [reference_size(16, 16, 1, 64, 1), reference_size(32, 32, 2, 128, 1)]


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"\n### {title}\n")
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |", flush=True)


def kilo(bytes_per_second: float) -> str:
    return f"{bytes_per_second / 1e3:.1f}"


def training_row(name: str, f: dict[str, Any]) -> list[str]:
    row = [name, str(f["threads"]), kilo(f["train_bytes_per_second"]), f"{f['train_gflops']:.1f}"]
    row += [f"{f['fma_gflops']:.1f}", f"{f['train_share']:.2f}", f"{f['train_memory'] / 1e6:.1f}"]
    for peer in ("torch", "torch_scan"):
        if f"{peer}_ratio" in f:
            row += [f"{f[f'{peer}_ratio']:.2f} ({kilo(f[f'{peer}_bytes_per_second'])})"]
    return row


def inference_row(name: str, f: dict[str, Any]) -> list[str]:
    limit = {"read": f"reading, {f['read_gbps']:.0f} GB/s", "fma": "arithmetic"}
    rates = [kilo(f[f"{what}_bytes_per_second"]) for what in ("generate", "prompt", "score")]
    share = f"{f['generate_share']:.2f}"
    return [name, str(f["threads"]), rates[0], share, limit[f["generate_limit"]], *rates[1:]]


def phase_row(name: str, f: dict[str, Any], phases: Sequence[str]) -> list[str]:
    total = sum(f["phases"].values())
    shares = [f["phases"].get(phase, 0.0) / total for phase in phases]
    return [name, *(f"{share:.1%}" for share in shares), f"{1 - sum(shares):.1%}"]


def ngram_row(name: str, f: dict[str, Any]) -> list[str]:
    return [name, str(f["threads"]), f"{f['ngram_share']:.1%}"]


def growth_rows(threads: int, rounds: int) -> Iterable[list[str]]:
    """Milliseconds of a step, and their ratio to linear growth from the first size."""
    for what, sizes in GROWTH.items():
        meters = {label(size): Bench(size, threads=threads).training() for size in sizes}
        rates = best_of(rounds, meters)
        windows = [size.train_config.seq_len * size.train_config.batch_size for size in sizes]
        seconds = [w / r for w, r in zip(windows, rates.values(), strict=True)]
        cells = [f"{s * 1e3:.2f} ms ({s / seconds[0] / 2**i:.2f})" for i, s in enumerate(seconds)]
        yield [what, label(sizes[0]), *cells]


def small_rows(threads: int, rounds: int) -> Iterable[list[str]]:
    for size in SMALL:
        best, scalar = (bench_process(label(size), threads, rounds, isa) for isa in ("", "scalar"))
        for what in ("train", "generate"):
            ours, plain = (f[f"{what}_bytes_per_second"] for f in (best, scalar))
            yield [label(size), what, best["isa"], kilo(ours), kilo(plain), f"{ours / plain:.2f}"]


def bench_process(size: str, threads: int, rounds: int, isa: str) -> dict[str, Any]:
    """Runs in a new process, because the kernels are chosen once per process."""
    names = {
        "E": "embed-dim",
        "N": "state-dim",
        "L": "num-layers",
        "T": "seq-len",
        "B": "batch-size",
    }
    options = [f"--{names[part[0]]}{part[1:]}" for part in size.split()]
    command = [sys.executable, "-m", "slm", "bench", "--json", *options]
    command += ["--threads", str(threads), "--rounds", str(rounds)]
    env = {**os.environ, "SLM_FORCE_ISA": isa}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument(
        "--presets", action="store_true", help="only the presets of the recommended model"
    )
    args = parser.parse_args()
    peers = not args.no_torch
    recommended = recommended_sizes()
    reference = {} if args.presets else {label(size): size for size in SIZES}

    for threads in args.threads:
        print(f"- {machine.summary(machine.describe(threads))}", flush=True)
    for name, size in recommended.items():
        print(f"- {name}: {label(size)}", flush=True)
    figures = [
        (name, {"threads": t, **measure(size, threads=t, rounds=args.rounds, peers=peers)})
        for name, size in {**reference, **recommended}.items()
        for t in args.threads
    ]

    header = ["size", "threads", "kB/s", "GFLOP/s", "peak", "share of peak", "MB"]
    header += ["times PyTorch (kB/s)", "times PyTorch with scan (kB/s)"] if peers else []
    table("Training", header, (training_row(name, f) for name, f in figures))

    one = {name: f["train_share"] for name, f in figures if f["threads"] == 1}
    scaling = [
        [name, str(f["threads"]), f"{f['train_share'] / one[name]:.2f}"]
        for name, f in figures
        if f["threads"] > 1 and name in one
    ]
    header = ["size", "threads", "speed-up over that of the multiply-adds"]
    table("More threads against one", header, scaling)

    header = ["size", "threads", "generation, kB/s", "share of limit", "limit"]
    header += ["prompt, kB/s", "scoring, kB/s"]
    table("Generation, prompts, scoring", header, (inference_row(name, f) for name, f in figures))

    rows = (ngram_row(name, f) for name, f in figures if "ngram_share" in f)
    table("N-grams and matches", ["size", "threads", "share of a step"], rows)

    most = args.threads[-1]
    phases = ["begin_window", "embed_forward", "layer_forward", "mlp_forward", "head_loss"]
    phases += ["head_backward", "mlp_backward", "layer_backward", "embed_backward"]
    phases += ["add_losses", "update", "params_changed"]
    rows = (phase_row(name, f, phases) for name, f in figures if f["threads"] == most)
    table(f"Where a step's time goes, {most} threads", ["size", *phases, "rest"], rows)

    if args.presets:
        return
    header = ["grows", "from", "×1", "×2", "×4", "×8"]
    table(f"Growth, {most} threads", header, growth_rows(most, args.rounds))

    header = ["size", "work", "instruction set", "kB/s", "scalar, kB/s", "ratio"]
    table(f"Small sizes, {most} threads", header, small_rows(most, args.rounds))


if __name__ == "__main__":
    main()
