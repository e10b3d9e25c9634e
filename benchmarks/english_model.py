"""Makes the model of general English that comes with slm: python/slm/data/english.safetensors.

    python benchmarks/english_model.py [--minutes 55 | --steps N] [--precision bf16] [--embed-dim …]

It trains on the books of ../shared/data; their last 300,000 bytes choose the best state. The number
of steps that the minutes were enough for is in the note beside the model; with --steps, the same
seed and the same kind of machine make the same model again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TypeAlias

import slm
from quality import runs, texts
from slm.bench.machine import cpu_name
from slm.cli.options import add_fields, overrides_from_args
from slm.text import ByteArray

DATA = Path(__file__).resolve().parents[1] / "python" / "slm" / "data"
MAX_BYTES = 8_000_000
MAX_RATIO = 1.02  # of the exported model's loss to its original's

#: What fits into the file as int8. Options override it.
RECIPE = {
    "embed_dim": 88,
    "state_dim": 128,
    "mlp_dim": 128,
    "num_layers": 4,
    "ngram_orders": (2, 3, 4, 5, 6),
    "ngram_buckets": 16384,
    "learning_rate": 6e-3,
    "table_lr_scale": 3.0,
}

#: By the name of a text: nats per byte of the model itself, and as it was exported.
Losses: TypeAlias = dict[str, tuple[float, float]]


def export(model: slm.Model, folder: Path, scored: dict[str, ByteArray]) -> Losses:
    """Writes the model to folder/english.safetensors, and scores the texts."""
    path = folder / "english.safetensors"
    model.save(path, "int8")
    exported = slm.load(path)
    return {name: (runs.loss(model, t), runs.loss(exported, t)) for name, t in scored.items()}


def complaints(size: int, losses: Losses) -> list[str]:
    found = [f"the file has {size:,} bytes, allowed are {MAX_BYTES:,}"] if size > MAX_BYTES else []
    for name, (original, exported) in losses.items():
        if exported > MAX_RATIO * original:
            found.append(
                f"on {name} the export costs {exported / original - 1:.1%}, allowed are 2 %"
            )
    return found


def note(
    model: slm.Model,
    history: slm.History,
    text: ByteArray,
    choose: ByteArray,
    size: int,
    losses: Losses,
) -> str:
    """How the model was made, for those who find it in the package."""
    config, training = (json.dumps(asdict(c), indent=2) for c in (model.config, history.config))
    rows = "".join(f"| {name} | {a:.4f} | {b:.4f} |\n" for name, (a, b) in losses.items())
    digest = hashlib.sha256(text.tobytes()).hexdigest()
    return f"""# The bundled model

`english.safetensors` ({size:,} bytes) writes general English. It was made on {date.today()} by
`{shlex.join(["python", *sys.argv])}` with slm {slm.__version__} on {cpu_name()}.

It learned from {len(text):,} bytes (sha256 `{digest}`) of books of Project Gutenberg whose texts
are in the public domain in the USA: {history.steps:,} steps in {history.seconds / 60:.1f} minutes,
of which step {history.best_step:,} was the best on the {len(choose):,} bytes
of books after these. It is exported as int8. Nats per byte:

| text | float32 | as it is here |
| --- | --- | --- |
{rows}
The model:

```json
{config}
```

Its training:

```json
{training}
```
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--preset", default="small")
    top.add_argument("--minutes", type=float, default=55)
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--threads", type=int)
    top.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    top.add_argument("--folder", type=Path, default=DATA, help="for the model and its note")
    top.add_argument(
        "--original",
        type=Path,
        default=Path("slm-english.safetensors"),
        help="for the model before its export; its checkpoint stands beside it",
    )
    top.add_argument("--resume", action="store_true", help="go on from that checkpoint")
    for config in (slm.Config, slm.TrainConfig):
        add_fields(top, config)
    return top


def main() -> None:
    args = parser().parse_args()
    overrides = {
        **RECIPE,
        **overrides_from_args(args, slm.Config),
        **overrides_from_args(args, slm.TrainConfig),
    }
    steps = overrides.pop("steps", None)
    seconds = None if steps else 60 * args.minutes
    how = {"seconds": seconds, "steps": steps, "seed": args.seed, "threads": args.threads}
    recipe = runs.Recipe(args.preset, overrides, **how, precision=args.precision)

    args.folder.mkdir(parents=True, exist_ok=True)  # and not an error after an hour
    books = texts.corpus("books")
    model = recipe.model()
    history = model.train(
        books.train,
        validation=books.choose,
        checkpoint=args.original.with_name(args.original.stem + ".ckpt.safetensors"),
        resume=args.resume,
        progress=True,
        **recipe.training(),
    )
    model.save(args.original)
    model = slm.load(args.original, threads=args.threads)  # in float32, whatever it trained in
    scored = {"the end of the books": books.choose, "books-valid": books.held_out}
    losses = export(model, args.folder, scored)
    size = (args.folder / "english.safetensors").stat().st_size
    text = note(model, history, books.train, books.choose, size, losses)
    (args.folder / "english.md").write_text(text, encoding="utf-8")
    for name, (original, exported) in losses.items():
        print(f"{name}: {original:.4f} nats per byte in float32, {exported:.4f} exported")
    print(f"{size:,} bytes in {args.folder / 'english.safetensors'}")
    sys.exit("; ".join(complaints(size, losses)) or None)


if __name__ == "__main__":
    main()
