"""List the presets: models and how they are trained."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import slm
from slm.cli.options import Commands, add_output_options, display_values, new_parser, print_json


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "presets", __doc__)
    parser.set_defaults(run=run)
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    for name, preset in slm.presets().items():
        values = {"config": asdict(preset.config), "train_config": asdict(preset.train_config)}
        if args.json:
            print_json({"name": name, "default": name == slm.default_preset, **values})
            continue
        values = {
            "config": display_values(preset.config),
            "train_config": display_values(preset.train_config),
        }
        print(name + (" (default)" if name == slm.default_preset else ""))
        for part, fields in values.items():
            print(f"  {part:9}" + ", ".join(f"{key} {value}" for key, value in fields.items()))
