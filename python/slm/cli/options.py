"""What several commands share: options, the model they open, JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import fields
from math import isfinite
from typing import Any, TypeAlias

from slm import Config, Model, TrainConfig, load

Options: TypeAlias = "argparse._ActionsContainer"  # a parser or a group of its options
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

DEFAULT_MODEL = "slm.safetensors"
_TYPES = {"int": int, "float": float, "str": str}


def new_parser(commands: Commands, name: str, doc: str | None) -> argparse.ArgumentParser:
    """A command's parser; its help is the docstring of the command's file."""
    description = doc or ""
    summary = description.partition("\n")[0].rstrip(".")
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="results as JSON, one object a line")
    parser.add_argument("--quiet", action="store_true", help="no progress, notes or messages")


def add_device_options(parser: Options) -> None:
    parser.add_argument(
        "--device", default="auto", help='"auto", "cpu" or "cuda" (default: %(default)s)'
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="default: one per core; results do not depend on it",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help='"float32" or, on CPUs that have it, the faster "bf16" (default: %(default)s)',
    )


def add_model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m", "--model", metavar="MODEL", help=f"model file (default: {DEFAULT_MODEL})"
    )


def open_model(args: argparse.Namespace) -> Model:
    path = args.model
    if path is None:
        path = DEFAULT_MODEL
        if not os.path.exists(path):
            raise FileNotFoundError(
                f"there is no {path} in this folder: train a model with `slm train`, "
                "or name one with -m"
            )
        message(args, f"using {path}")
    return load(path, device=args.device, threads=args.threads, precision=args.precision)


def add_fields(parser: Options, config: type[Config | TrainConfig]) -> None:
    """An option for every field, by the field's name. --seed is on its own."""
    for f in fields(config):
        if f.type == "bool":
            parser.add_argument(
                "--" + f.name.replace("_", "-"),
                action="store_const",
                const=True,
                help=f.metadata["help"],
            )
        elif f.name != "seed":
            parser.add_argument(
                "--" + f.name.replace("_", "-"),
                type=_TYPES[str(f.type)],
                metavar={"int": "N", "float": "X"}.get(str(f.type), "NAME"),
                help=f.metadata["help"],
            )


def given(args: argparse.Namespace, config: type[Config | TrainConfig]) -> dict[str, Any]:
    """The fields that were given on the command line."""
    values = {f.name: getattr(args, f.name) for f in fields(config) if f.name != "seed"}
    return {name: value for name, value in values.items() if value is not None}


def message(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(f"slm: {text}", file=sys.stderr, flush=True)


def print_json(value: dict[str, Any]) -> None:
    """JSON has no NaN and no infinity: they become null."""
    finite = {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in value.items()}
    print(json.dumps(finite), flush=True)
