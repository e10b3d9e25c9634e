"""Loss of the presets against training time: the figures, tables and picture of docs/quality.md.

    python benchmarks/quality.py run --text books --preset small --seconds 60 --seed 1 --adapt
    python benchmarks/quality.py ppmd                    needs pyppmd
    python benchmarks/quality.py nanogpt                 needs PyTorch
    python benchmarks/quality.py search trials.json --text books --preset small --seconds 60
    python benchmarks/quality.py samples --preset nano --seconds 24      to docs/samples.md
    python benchmarks/quality.py cold                    how texts begin
    python benchmarks/quality.py table [--write]
    python benchmarks/quality.py plot                    needs matplotlib

Each run is a line of benchmarks/quality/results.jsonl, each trial of a search a line of
search.jsonl. The books are read from ../shared/data; tinyshakespeare comes with slm.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import slm
from quality import cold, records, runs, samples, search, tables, texts
from quality.cold_table import cold_table
from slm.cli.options import add_fields, overrides_from_args

DOCS = Path(__file__).resolve().parents[1] / "docs"


def run(args: argparse.Namespace) -> None:
    overrides = {
        **overrides_from_args(args, slm.Config),
        **overrides_from_args(args, slm.TrainConfig),
    }
    overrides.pop("steps", None)
    recipe = runs.Recipe(args.preset, overrides, **how_long(args))
    keep(args.results, runs.run(recipe, texts.corpus(args.text), args.adapt))


def run_ppmd(args: argparse.Namespace) -> None:
    from quality.ppmd import VARIANTS, ppmd

    for text in args.text:
        corpus = texts.corpus(text)
        for variant, trained in product(VARIANTS, (True, False)):
            keep(args.results, ppmd(corpus, variant, trained))


def run_nanogpt(args: argparse.Namespace) -> None:
    from quality.nanogpt import curve

    for record in curve(texts.corpus("shakespeare"), args.steps, args.seed, args.every):
        keep(args.results, record)


def run_search(args: argparse.Namespace) -> None:
    trials = search.read_trials(args.trials)
    corpus = texts.corpus(args.text, for_search=True)
    for record in search.search(corpus, trials, args.preset, **how_long(args)):
        keep(args.results, record)


def run_cold(args: argparse.Namespace) -> None:
    overrides = json.loads(args.overrides)
    for case, seed in product(args.case, args.seed):
        record = cold.run(cold.cases()[case], seed, overrides)
        keep(args.results, {"kind": "cold", "name": args.name, **record})


def table(args: argparse.Namespace) -> None:
    parts = {
        "tables": tables.tables(records.read(args.results)),
        "cold": cold_table(records.read(records.COLD)),
    }
    for name, text in parts.items():
        if args.write:
            tables.write_between_markers(DOCS / "quality.md", name, text)
        else:
            print(text, end="")


def write_samples(args: argparse.Namespace) -> None:
    text = samples.section(runs.Recipe(args.preset, **how_long(args)), texts.corpus(args.text))
    tables.write_between_markers(DOCS / "samples.md", args.preset, text)


def plot(args: argparse.Namespace) -> None:
    from quality.plot import plot

    plot(records.read(args.results), args.output)


def how_long(args: argparse.Namespace) -> dict[str, Any]:
    names = ("seconds", "steps", "seed", "threads", "precision")
    return {name: getattr(args, name) for name in names}


def keep(path: Path, record: dict[str, Any]) -> None:
    """Appends the record to the file and prints its most important fields."""
    records.append(path, record)
    what = ["kind", "name", "text", "preset", "overrides", "seed", "step", "seconds_taken", "loss"]
    what += ["case", "good", "ended", "good_th", "first_bytes_cold", "first_bytes_warm"]
    what += ["nats_per_byte", "adapted", "int8_nats_per_byte", "int8_file_bytes", "load"]
    print(" ".join(f"{name}={record[name]}" for name in what if name in record), flush=True)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(required=True)

    def command(name: str, function: Any, results: Path = records.RESULTS) -> Any:
        sub = commands.add_parser(name, allow_abbrev=False)
        sub.set_defaults(function=function)
        sub.add_argument("--results", type=Path, default=results)
        return sub

    one = command("run", run)
    one.add_argument("--adapt", action="store_true", help="also score by dynamic evaluation")
    many = command("search", run_search, records.SEARCH)
    many.add_argument("trials", type=Path, help='{"name": {"learning_rate": 0.01, …}, …}')
    many.add_argument("--steps", type=int)
    some = command("samples", write_samples)
    some.set_defaults(steps=None)
    for sub in (one, many, some):
        sub.add_argument("--text", choices=texts.names(), default="shakespeare")
        sub.add_argument("--preset", default=slm.default_preset)
        sub.add_argument("--seconds", type=float)
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--threads", type=int)
        sub.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    for config in (slm.Config, slm.TrainConfig):
        add_fields(one, config)

    sub = command("cold", run_cold, records.COLD)
    sub.add_argument("--case", choices=cold.cases(), nargs="+", default=list(cold.cases()))
    sub.add_argument("--seed", type=int, nargs="+", default=[1, 2, 3])
    sub.add_argument("--name", default="now", help="the state of slm, in the table")
    sub.add_argument("--overrides", default="{}", help="of training, as JSON")
    sub = command("ppmd", run_ppmd)
    sub.add_argument("--text", choices=texts.names(), nargs="+", default=texts.names())
    sub = command("nanogpt", run_nanogpt)
    sub.add_argument("--steps", type=int, default=2000)
    sub.add_argument("--every", type=int, default=250, help="steps between evaluations")
    sub.add_argument("--seed", type=int, default=0)
    command("table", table).add_argument("--write", action="store_true", help="to docs/quality.md")
    sub = command("plot", plot)
    sub.add_argument("--output", type=Path, default=DOCS / "images" / "quality.png")
    return top


def main() -> None:
    args = parser().parse_args()
    try:
        args.function(args)
    except (slm.Error, OSError, ValueError, ImportError) as error:
        sys.exit(f"quality.py: {error}")


if __name__ == "__main__":
    main()
