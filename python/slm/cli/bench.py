"""Measure training and generation on this machine, as fractions of its roofline.

Without options of a size, every preset and the sizes of docs/performance.md are measured. A step
counts 6 useful operations per byte and multiplied weight; peak is a loop of fused multiply-adds in
registers on all threads. The cost of n-grams and matches is the difference to the same model
without them. Measurements are interleaved over rounds; the best round is reported.
"""

from __future__ import annotations

import argparse
import importlib
from dataclasses import replace
from typing import Any

import slm
from slm.bench import machine
from slm.bench.measure import measure
from slm.bench.sizes import label, standard_sizes
from slm.cli.options import (
    Commands,
    add_fields,
    add_output_options,
    new_parser,
    overrides_from_args,
    print_json,
)
from slm.config import Preset, preset
from slm.errors import ConfigError


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "bench", __doc__)
    parser.set_defaults(run=run)
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="default: one per core")
    parser.add_argument(
        "--rounds",
        type=int,
        default=5,
        metavar="N",
        help="the best round is reported (default: %(default)s)",
    )
    parser.add_argument(
        "--against",
        choices=["torch"],
        help="also measure PyTorch's training step on the same model",
    )
    add_output_options(parser)
    size = parser.add_argument_group("size", "Options override the preset.")
    size.add_argument(
        "--preset",
        metavar="NAME",
        help=f"a name that `slm presets` lists (default: {slm.default_preset})",
    )
    add_fields(size, slm.Config)
    size.add_argument("--seq-len", type=int, metavar="N", help="T, bytes per window")
    size.add_argument("--batch-size", type=int, metavar="N", help="B, windows per step")
    size.add_argument(
        "--recompute",
        action=argparse.BooleanOptionalAction,
        help="activation checkpointing: less memory for long windows",
    )


def run(args: argparse.Namespace) -> None:
    if args.rounds < 1:
        raise ConfigError(f"rounds is {args.rounds}, expected at least 1")
    if args.against:
        importlib.import_module("slm.bench.peer")  # or raises an error that PyTorch is missing
    sizes = _sizes(args)
    here = machine.describe(args.threads)
    if not args.json:
        print(machine.summary(here), flush=True)
    for name, size in sizes.items():
        figures = measure(
            size, threads=here["threads"], rounds=args.rounds, peers=args.against is not None
        )
        if args.json:
            print_json({**here, "name": name, **figures})
        else:
            _print_figures(name, size, figures)


def _sizes(args: argparse.Namespace) -> dict[str, Preset]:
    """The size that the options describe, or all that docs/performance.md reports."""
    model = overrides_from_args(args, slm.Config)
    names = ("seq_len", "batch_size", "recompute")
    window = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if not (args.preset or model or window):
        return standard_sizes()
    name = args.preset or slm.default_preset
    base = preset(name)
    size = Preset(replace(base.config, **model), replace(base.train_config, **window))
    return {name if size == base else label(size): size}


def _print_figures(name: str, size: Preset, figures: dict[str, Any]) -> None:
    f = figures
    total = sum(f["phases"].values())
    phases = sorted(f["phases"].items(), key=lambda phase: -phase[1])
    limit = {"read": "reading the weights", "fma": "multiply-adds"}[f["generate_limit"]]
    lines = [
        f"training    {_speed(f['train_bytes_per_second'])}  {f['train_gflops']:.1f} GFLOP/s, "
        f"{f['train_share']:.2f} of {f['fma_gflops']:.1f}; {f['train_memory'] / 1e6:.0f} MB",
        "  of which  "
        + ", ".join(f"{phase} {s / total:.1%}" for phase, s in phases if s >= total / 1000),
        f"generation  {_speed(f['generate_bytes_per_second'])}  {f['generate_share']:.2f} of the "
        f"limit by {limit} ({f['read_gbps']:.1f} GB/s)",
        f"prompt      {_speed(f['prompt_bytes_per_second'])}",
        f"scoring     {_speed(f['score_bytes_per_second'])}",
    ]
    if "ngram_share" in f:
        lines.insert(2, f"  tables    {f['ngram_share']:.1%} of a step (n-grams and matches)")
    for peer, what in (("torch", "PyTorch"), ("torch_scan", "  with scan")):
        if f"{peer}_ratio" in f:
            speed = _speed(f[f"{peer}_bytes_per_second"])
            lines.append(f"{what:12}{speed}  slm is {f[f'{peer}_ratio']:.2f} times as fast")
    title = label(size) if name == label(size) else f"{name}: {label(size)}"
    print(f"\n{title}, {f['num_parameters']:,} parameters", *lines, sep="\n  ", flush=True)


def _speed(bytes_per_second: float) -> str:
    return f"{bytes_per_second / 1e3:8.1f} kB/s"
