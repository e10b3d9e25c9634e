"""Export a model to a smaller file.

float16 takes half the space of float32, int8 about a quarter, with a scale for every row of a
matrix. The new file is a model like any other; `slm score` measures what the rounding costs.
"""

from __future__ import annotations

import argparse
import os

import slm
from slm.cli.options import Commands, add_output_options, new_parser, print_json


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "export", __doc__)
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file to read")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="model file to write")
    parser.add_argument(
        "--dtype",
        default="int8",
        metavar="NAME",
        help='"float32", "float16" or "int8" (default: %(default)s)',
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing OUT")
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    if os.path.exists(args.output) and not args.overwrite:
        raise slm.ConfigError(f"{args.output} exists: give --overwrite, or another -o")
    model = slm.load(args.model)
    before = os.path.getsize(args.model)
    model.save(args.output, args.dtype)
    after = os.path.getsize(args.output)
    if args.json:
        sizes = {"bytes": before, "output_bytes": after}
        print_json({"model": args.model, "output": args.output, "dtype": args.dtype, **sizes})
        return
    print(f"{args.model}: {before:,} bytes")
    print(f"{args.output}: {after:,} bytes, {args.dtype}, {after / before:.0%} of that")
