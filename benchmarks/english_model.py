"""Trains the English model that comes with slm: python/slm/data/english.safetensors.

    python benchmarks/english_model.py [--minutes 55 | --steps N] [--precision bf16] [--embed-dim …]

It trains on the books in ../shared/data; their last 300,000 bytes are the validation text. The note
beside the model records the number of steps; --steps with that number, the same seed and the same
kind of machine give the same model again.
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
MAX_RATIO = 1.02  # loss of the exported model divided by that of the original

#: The largest model whose int8 file fits. Options override it.
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

#: For each text, by name: nats per byte of the original and of the exported model.
Losses: TypeAlias = dict[str, tuple[float, float]]


def export(model: slm.Model, folder: Path, scored: dict[str, ByteArray]) -> Losses:
    """Writes the model to folder/english.safetensors and scores the texts with both."""
    path = folder / "english.safetensors"
    model.save(path, "int8")
    exported = slm.load(path)
    return {name: (runs.loss(model, t), runs.loss(exported, t)) for name, t in scored.items()}


def complaints(size: int, losses: Losses) -> list[str]:
    found = [f"the file has {size:,} bytes, the limit is {MAX_BYTES:,}"] if size > MAX_BYTES else []
    for name, (original, exported) in losses.items():
        if exported > MAX_RATIO * original:
            found.append(
                f"on {name} the export costs {exported / original - 1:.1%}, the limit is 2 %"
            )
    return found


def note(
    model: slm.Model,
    history: slm.History,
    text: ByteArray,
    validation: ByteArray,
    size: int,
    losses: Losses,
) -> str:
    """How the model was made: the text of english.md."""
    config, train_config = (json.dumps(asdict(c), indent=2) for c in (model.config, history.config))
    rows = "".join(f"| {name} | {a:.4f} | {b:.4f} |\n" for name, (a, b) in losses.items())
    digest = hashlib.sha256(text.tobytes()).hexdigest()
    return f"""# The bundled model

`english.safetensors` ({size:,} bytes) is a model of general English. It was made on
{date.today()} by `{shlex.join(["python", *sys.argv])}`
with slm {slm.__version__} on {cpu_name()}.

It was trained for {history.steps:,} steps, which took {history.seconds / 60:.1f} minutes, on
{len(text):,} bytes (sha256 `{digest}`)
of books of Project Gutenberg whose texts are in the public domain in the USA. The next
{len(validation):,} bytes of the books were the validation text; its loss was lowest at
step {history.best_step:,}, whose weights the model has. It is exported as int8.
Losses in nats per byte:

| text | float32 | int8 export |
| --- | --- | --- |
{rows}
The model config:

```json
{config}
```

The train config:

```json
{train_config}
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
    top.add_argument("--folder", type=Path, default=DATA, help="for the model and english.md")
    top.add_argument(
        "--original",
        type=Path,
        default=Path("slm-english.safetensors"),
        help="for the model before its export; the checkpoint is written beside it",
    )
    top.add_argument("--resume", action="store_true", help="continue from that checkpoint")
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

    args.folder.mkdir(parents=True, exist_ok=True)  # fails now rather than after the training
    books = texts.corpus("books")
    model = recipe.model()
    history = model.train(
        books.train,
        validation=books.validation,
        checkpoint=args.original.with_name(args.original.stem + ".ckpt.safetensors"),
        resume=args.resume,
        progress=True,
        **recipe.training(),
    )
    model.save(args.original)
    model = slm.load(
        args.original, threads=args.threads
    )  # in float32, whatever the precision of training
    scored = {"the end of the books": books.validation, "books-valid": books.held_out}
    losses = export(model, args.folder, scored)
    size = (args.folder / "english.safetensors").stat().st_size
    text = note(model, history, books.train, books.validation, size, losses)
    (args.folder / "english.md").write_text(text, encoding="utf-8")
    for name, (original, exported) in losses.items():
        print(f"{name}: {original:.4f} nats per byte in float32, {exported:.4f} exported")
    print(f"{size:,} bytes in {args.folder / 'english.safetensors'}")
    sys.exit("; ".join(complaints(size, losses)) or None)


if __name__ == "__main__":
    main()
