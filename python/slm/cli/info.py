"""Describe this installation, or a model file."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import Any

import slm
from slm import _core
from slm.bundled import bundled_model
from slm.cli.options import Commands, add_output_options, display_values, new_parser, print_json


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "info", __doc__)
    parser.set_defaults(run=run)
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="default: describe this installation"
    )
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    facts = _installation() if args.model is None else _model(args)
    if args.json:
        print_json(facts)
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for key, entry in value.items():
                print(f"  {key:28} {entry}")
        else:
            print(f"{name:30} {value}")


def _installation() -> dict[str, Any]:
    return {
        "version": slm.__version__,
        "build": _core.build,
        "format": _core.format_version,
        "kernels": _core.isa(),
        "kernels for bf16": _core.bf16_isa(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "device": slm.Model("seed-small", embed_dim=1, state_dim=1, num_layers=1).device,
        "default preset": slm.default_preset,
        "bundled model": bundled_model(),
    }


def _model(args: argparse.Namespace) -> dict[str, Any]:
    model = slm.load(args.model)
    config, train_config, last_run = model.config, model.train_config, model.last_run
    facts: dict[str, Any] = {
        "file": args.model,
        "bytes": os.path.getsize(args.model),
        "text": "documents" if config.documents else "one text",
        "parameters": model.num_parameters,
        "memory, bytes": model.memory,
        "config": asdict(config) if args.json else display_values(config),
        "train_config": asdict(train_config) if args.json else display_values(train_config),
        "tensors": {name: list(t["shape"]) for name, t in model._core.tensors.items()},
    }
    tables = ngram_tables(model)
    seen = model.seen_bytes
    if args.json:
        facts["last_run"] = last_run and asdict(last_run)
        return {**facts, "table rows": tables, "seen bytes": None if seen is None else list(seen)}
    if last_run:
        facts["latest run used"] = _differences(train_config, last_run)
    facts["bytes of its text"] = "not known" if seen is None else _in_words(seen)
    if tables:
        used, rows = (sum(counts) for counts in zip(*tables.values(), strict=True))
        facts["n-grams and matches"] = f"{used:,} of {rows:,} rows are not zero"
        # The summary above stands for a line per table.
        facts["tensors"] = {k: v for k, v in facts["tensors"].items() if k not in tables}
    return facts


def _differences(given: slm.TrainConfig, used: slm.TrainConfig) -> str:
    """The fields that a run changed, such as a window that was longer than the text."""
    before, after = asdict(given), asdict(used)
    changed = [f"{name} {after[name]:g}" for name in after if after[name] != before[name]]
    return ", ".join(changed) or "train_config as it is"


def _in_words(seen: bytes) -> str:
    listed = f": {repr(seen)[2:-1]}" if len(seen) <= 128 else ""
    return f"{len(seen)} of 256{listed}"


def ngram_tables(model: slm.Model) -> dict[str, tuple[int, int]]:
    """For each table by its name: how many of its rows are not zero, and how many there are."""
    names = [name for name, tensor in model._core.tensors.items() if tensor["sparse"]]
    parameters = model.parameters if names else {}
    return {n: (int(parameters[n].any(axis=1).sum()), len(parameters[n])) for n in names}
