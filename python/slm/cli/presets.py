"""List the presets: models and how they are trained."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import slm
from slm.cli.options import Commands, add_output_options, new_parser, print_json, shown


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "presets", __doc__)
    parser.set_defaults(run=run)
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    for name, preset in slm.presets().items():
        values = {"model": asdict(preset.model), "training": asdict(preset.training)}
        if args.json:
            print_json({"name": name, "default": name == slm.default_preset, **values})
            continue
        values = {"model": shown(preset.model), "training": shown(preset.training)}
        print(name + (" (default)" if name == slm.default_preset else ""))
        for part, fields in values.items():
            print(f"  {part:9}" + ", ".join(f"{key} {value}" for key, value in fields.items()))
