"""Describe this installation, or a model file."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import Any

import slm
from slm import _core
from slm.cli.options import Commands, add_output_options, new_parser, print_json


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "info", __doc__)
    parser.set_defaults(run=run)
    parser.add_argument("model", nargs="?", metavar="MODEL", help="without it: the installation")
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    facts = _installation() if args.model is None else _model(args.model)
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
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "device": slm.Model(embed_dim=1, state_dim=1, num_layers=1).device,
        "default preset": slm.default_preset,
    }


def _model(path: str) -> dict[str, Any]:
    model = slm.load(path)
    return {
        "file": path,
        "bytes": os.path.getsize(path),
        "parameters": model.num_parameters,
        "memory, bytes": model.memory,
        "config": asdict(model.config),
        "training": asdict(model.training),
        "tensors": {name: list(shape) for name, shape in model._core.tensors},
    }
