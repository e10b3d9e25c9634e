"""Options, opening of models and output that several commands share."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from math import isfinite
from typing import Any, TextIO, TypeAlias

from slm import Config, Model, TrainConfig, _core, load
from slm.bundled import bundled_model
from slm.config import AUTO, AUTO_FIELDS
from slm.generate import SampleOptions

Options: TypeAlias = "argparse._ActionsContainer"  # a parser or a group of its options
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

DEFAULT_MODEL = "slm.safetensors"

#: Fields whose options the commands add themselves.
OWN_OPTIONS = ("seed", "stop", "documents", "allowed", "logit_bias")


class Parser(argparse.ArgumentParser):
    """Takes what follows one of `text_options` as its value, even where it begins with a dash."""

    text_options: tuple[str, ...] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        rest = iter(sys.argv[1:] if args is None else args)
        joined = []
        for word in rest:
            value = next(rest, None) if word in self.text_options else None
            joined.append(word if value is None else f"{word}={value}")
        return super().parse_known_args(joined, namespace)


def whole_numbers(text: str) -> tuple[int, ...]:
    """2,3,4 on the command line is (2, 3, 4) in Python."""
    try:
        return () if text == "none" else tuple(int(n) for n in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list such as 2,3,4, nor none") from None


def dropout(text: str) -> float | str:
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor auto") from None


# By the name of a field, or else by its type: the parser of its option, and what the help shows.
_OPTIONS: dict[str, tuple[Callable[[str], Any], str]] = {
    **dict.fromkeys(AUTO_FIELDS, (dropout, "X|auto")),
    "tuple[int, ...]": (whole_numbers, "N,N,…|none"),
    "int": (int, "N"),
    "float": (float, "X"),
    "str": (str, "NAME"),
}


def new_parser(commands: Commands, name: str, doc: str | None) -> Parser:
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
    parser.add_argument(
        "--json", action="store_true", help="print results as JSON, one object per line"
    )
    parser.add_argument("--quiet", action="store_true", help="print no progress, notes or messages")


def add_device_options(parser: Options, precision: str = "float32") -> None:
    parser.add_argument(
        "--device",
        default="auto",
        metavar="NAME",
        help='"cpu", "cuda", or "auto": "cuda" where it can be used (default: %(default)s)',
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="number of threads; results do not depend on it (default: one per core)",
    )
    parser.add_argument(
        "--precision",
        default=precision,
        metavar="NAME",
        help='precision of matrix products: "float32"; "bf16" on CPUs that have it and on CUDA '
        'devices; "tf32" on CUDA devices; "auto" is "bf16" on CPUs where that is known to be '
        'faster, else "float32" (default: %(default)s)',
    )


def add_encoding_option(parser: Options) -> None:
    parser.add_argument(
        "--encoding",
        metavar="NAME",
        help="encoding of the FILEs, such as latin-1, utf-16 or shift_jis, from which they are "
        "converted to UTF-8 (default: their bytes as they are)",
    )


def add_model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-m",
        "--model",
        metavar="MODEL",
        help=f"model file (default: {DEFAULT_MODEL}, or else the model that comes with slm)",
    )


def open_model(args: argparse.Namespace) -> Model:
    """The model of -m, or the one in this folder, or the one that comes with slm."""
    path = args.model
    if path is None and os.path.exists(DEFAULT_MODEL):
        path = DEFAULT_MODEL
        message(args, f"using {path}")
    elif path is None:
        path = bundled_model()
        if path is None:
            raise FileNotFoundError(
                f"there is no {DEFAULT_MODEL} in this folder, and this build of slm has no model "
                "of its own: train a model with `slm train`, or name one with -m"
            )
        message(args, f"there is no {DEFAULT_MODEL} here: using the English model of slm")
    return load(path, device=args.device, threads=args.threads, precision=args.precision)


def add_fields(
    parser: Options, config: type[Config | TrainConfig | SampleOptions], *, defaults: bool = False
) -> None:
    """An option for every field, by the field's name, but not for those of `OWN_OPTIONS`.

    defaults: say in the help that the field's default is the option's."""
    for f in fields(config):
        name, text = "--" + f.name.replace("_", "-"), f.metadata["help"]
        if f.name in OWN_OPTIONS:
            continue
        if defaults and f.type != "bool":
            text += f" (default: {f.default})"
        if f.type == "bool":
            parser.add_argument(name, action=argparse.BooleanOptionalAction, help=text)
        else:
            read, metavar = _OPTIONS.get(f.name) or _OPTIONS[str(f.type)]
            parser.add_argument(name, type=read, metavar=metavar, help=text)


def overrides_from_args(
    args: argparse.Namespace, config: type[Config | TrainConfig | SampleOptions]
) -> dict[str, Any]:
    """The fields that `add_fields` added and the command line gives."""
    names = [f.name for f in fields(config) if f.name not in OWN_OPTIONS]
    values = {name: getattr(args, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def display_values(config: Config | TrainConfig) -> dict[str, Any]:
    """The fields of a config as text for a person. Those that the reference equations do without
    are left out while they have their default."""
    described = {**_core.config_fields(), **_core.train_config_fields()}
    values = {
        f.name: getattr(config, f.name)
        for f in fields(config)
        if described[f.name]["required"] or getattr(config, f.name) != f.default
    }
    for name, value in values.items():
        if isinstance(value, tuple):
            values[name] = ",".join(map(str, value))
        elif name in AUTO_FIELDS and value == AUTO:
            values[name] = "auto"
    return values


def standard_input() -> TextIO:
    """sys.stdin, which is None where the shell has closed it."""
    if sys.stdin is None:
        raise OSError("standard input is closed, but is to be read")
    return sys.stdin


def plural(number: int, what: str) -> str:
    return what if number == 1 else what + "s"


def message(args: argparse.Namespace, text: str) -> None:
    if not args.quiet:
        print(f"slm: {text}", file=sys.stderr, flush=True)


def print_json(value: dict[str, Any]) -> None:
    """JSON has no NaN and no infinity: they become null."""
    finite = {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in value.items()}
    print(json.dumps(finite), flush=True)
