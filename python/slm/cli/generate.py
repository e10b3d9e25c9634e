"""Continue a prompt. Text is printed as it is generated."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import slm
from slm.cli.options import (
    Commands,
    add_device_options,
    add_fields,
    add_model_option,
    add_output_options,
    new_parser,
    open_model,
    overrides_from_args,
    print_json,
)
from slm.generate import SampleOptions


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "generate", __doc__)
    parser.set_defaults(run=run)
    add_model_option(parser)
    parser.add_argument(
        "--prompt", default="", metavar="P", help="text to continue; - reads standard input"
    )
    parser.add_argument(
        "--include-prompt",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="print the prompt before the text (default: yes)",
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=200,
        metavar="N",
        help="number of bytes to generate (default: %(default)s)",
    )
    sampling = parser.add_argument_group("sampling")
    add_fields(sampling, SampleOptions, defaults=True)
    sampling.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="random seed; the same seed gives the same text (default: a random one)",
    )
    sampling.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="stop sequence, not printed; repeatable",
    )
    sampling.add_argument(
        "-n",
        "--num-samples",
        type=int,
        metavar="N",
        help="generate N samples, separated by lines ---",
    )
    add_device_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    model = open_model(args)
    prompt = sys.stdin.buffer.read() if args.prompt == "-" else os.fsencode(args.prompt)
    options: dict[str, Any] = {
        **overrides_from_args(args, SampleOptions),
        "seed": args.seed,
        "stop": [os.fsencode(stop) for stop in args.stop],
        "include_prompt": args.include_prompt,
    }
    if args.num_samples is None and not args.json:
        _stream(model, prompt, args.max_bytes, options)
        return
    count = 1 if args.num_samples is None else args.num_samples
    samples = model.generate(prompt, args.max_bytes, num_samples=count, **options)
    for i, sample in enumerate(samples):
        if args.json:
            print_json({"sample": i, "text": sample.decode(errors="replace")})
        else:
            sys.stdout.buffer.write((b"---\n" if i else b"") + sample + b"\n")
            sys.stdout.buffer.flush()


def _stream(model: slm.Model, prompt: bytes, max_bytes: int, options: dict[str, Any]) -> None:
    out = sys.stdout.buffer
    piece = b""
    for piece in model.stream(prompt, max_bytes, **options):
        out.write(piece)
        out.flush()
    # Pipes and files get exactly the bytes of the text.
    if sys.stdout.isatty() and not piece.endswith(b"\n"):
        out.write(b"\n")
