"""Speed and accuracy of precision="bf16": the tables of docs/precision.md, as Markdown.

    python benchmarks/bf16.py [--rounds 5] [--threads 1 2]
                              [--preset seed-small] [--steps 300] [--seeds 0 1 2]

Speed: training steps of both precisions, interleaved over rounds, with the best round of each.
Accuracy: the validation loss of a preset on the bundled corpus after the same number of steps.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

import slm
from slm import _core
from slm.bench import machine
from slm.bench.meters import Bench, Meter, best_of
from slm.bench.sizes import standard_sizes

PRECISIONS = ("float32", "bf16")
SIZES = {name: size for name, size in standard_sizes().items() if name != "seed"}


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    print(f"\n## {title}\n")
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(row) + " |", flush=True)


def training(size: slm.Preset, precision: str, threads: int) -> Meter:
    """Bytes per second of a training step."""
    return Bench(size, threads=threads, seconds=0.3, device="cpu", precision=precision).training()


def speed_rows(threads: Iterable[int], rounds: int) -> Iterable[list[str]]:
    for name, size in SIZES.items():
        for n in threads:
            best = best_of(rounds, {p: training(size, p, n) for p in PRECISIONS})
            exact, rounded = (best[p] for p in PRECISIONS)
            rates = [f"{rate / 1e3:.1f}" for rate in (exact, rounded)]
            yield [name, str(n), *rates, f"{rounded / exact:.2f}"]


def loss_rows(preset: str, seeds: Iterable[int], steps: int) -> Iterable[list[str]]:
    for seed in seeds:
        losses = [validation_loss(preset, precision, seed, steps) for precision in PRECISIONS]
        yield [str(seed), *(f"{x:.4f}" for x in losses), f"{losses[1] - losses[0]:+.4f}"]


def validation_loss(preset: str, precision: str, seed: int, steps: int) -> float:
    model = slm.Model(preset, seed=seed, device="cpu", precision=precision)
    history = model.train(slm.sample_text(), steps=steps, seed=seed, eval_every=steps)
    return history.best_loss


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--preset", default="seed-small")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()

    kernels = f"{_core.isa()} and {_core.bf16_isa()}"
    print(f"{machine.cpu_name()}, {kernels}, slm {slm.__version__}")
    header = ["size", "threads", "float32, kB/s", "bf16, kB/s", "ratio"]
    table("Training", header, speed_rows(args.threads, args.rounds))
    header = ["seed", "float32", "bf16", "difference"]
    rows = loss_rows(args.preset, args.seeds, args.steps)
    table(f"Validation loss of {args.preset} after {args.steps} steps", header, rows)


if __name__ == "__main__":
    main()
