"""Train a model on text files, and write it to one file.

Without FILE, the text is the bundled corpus (tinyshakespeare). A checkpoint is kept beside MODEL,
with the suffix .ckpt.safetensors, and --resume continues from it after an interruption.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import slm
from slm import _core
from slm.cli.options import (
    DEFAULT_MODEL,
    Commands,
    add_device_options,
    add_encoding_option,
    add_fields,
    add_output_options,
    message,
    new_parser,
    overrides_from_args,
    plural,
    print_json,
)
from slm.config import TrainFields, override
from slm.config import preset as fitting_preset
from slm.documents import Corpus, num_bytes, read_corpus
from slm.progress import say, speed
from slm.text import Text

BUNDLED = "the bundled corpus (tinyshakespeare)"


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "train", __doc__)
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="text files, or folders of .txt files; several are documents",
    )
    parser.add_argument(
        "-o",
        "--output",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help="file to write (default: %(default)s)",
    )
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument(
        "--resume", action="store_true", help="continue from the checkpoint, with the same options"
    )
    existing.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="fine-tuning: start from the weights of this model",
    )
    existing.add_argument("--overwrite", action="store_true", help="replace an existing MODEL")

    run_options = parser.add_argument_group("run")
    run_options.add_argument(
        "--time",
        dest="seconds",
        type=_duration,
        metavar="TIME",
        help="length of the run in wall time, instead of --steps: 90s, 5m, 2h",
    )
    add_encoding_option(run_options)
    run_options.add_argument(
        "--documents",
        default="auto",
        metavar="MODE",
        help='what a document is, whose end the model learns: "files", each file; "lines", each '
        'line; "jsonl:FIELD", the string FIELD of each line of JSON Lines; "none", nothing: the '
        'files are joined; "auto" is "files" for several files or a folder and "none" for one file '
        "(default: %(default)s)",
    )
    run_options.add_argument(
        "--validation",
        type=_validation,
        default=0.1,
        metavar="FRACTION|FILE",
        help="fraction of the text held out for validation, taken from its end, or of documents, "
        "some of them; or a file; or 0 for no validation (default: %(default)s)",
    )
    run_options.add_argument(
        "--eval-every",
        type=int,
        default=0,
        metavar="N",
        help="steps between evaluations (default: about ten evaluations in the run)",
    )
    run_options.add_argument(
        "--patience",
        type=int,
        default=0,
        metavar="N",
        help="early stopping: stop after N evaluations without improvement (default: never)",
    )
    run_options.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=30.0,
        metavar="X",
        help="seconds between two checkpoints (default: %(default)s)",
    )
    run_options.add_argument(
        "--sample-bytes",
        type=int,
        default=72,
        metavar="N",
        help="length of the sample printed at every evaluation; 0: none (default: %(default)s)",
    )
    run_options.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="random seed of initial weights, windows, dropout and noise",
    )
    add_device_options(run_options, precision="auto")
    add_output_options(parser)
    model = parser.add_argument_group("model", "Options override the preset.")
    model.add_argument(
        "--preset",
        metavar="NAME",
        help=f"a name that `slm presets` lists (default: {slm.default_preset})",
    )
    add_fields(model, slm.Config)
    add_fields(
        parser.add_argument_group("training", "Options override the preset."), slm.TrainConfig
    )


def run(args: argparse.Namespace) -> None:
    if args.steps is not None and args.seconds is not None:
        args.parser.error("give --steps or --time, not both")
    output = Path(args.output)
    checkpoint = output.with_name(output.stem + ".ckpt.safetensors")
    _check_output(args, output, checkpoint)
    text = _read_text(args)
    model = _model(args, checkpoint, num_bytes(text))
    given = {**overrides_from_args(args, slm.TrainConfig), "seed": args.seed}
    model.train_config = slm.TrainConfig(
        **override(slm.Model.train, TrainFields, model.train_config, given)
    )
    what = " ".join(args.files) or BUNDLED
    if isinstance(text, _core.Documents):
        what = f"{len(text):,} {plural(len(text), 'document')} of {what}"
    where = model.device if model.precision == "float32" else f"{model.device} in {model.precision}"
    message(args, f"{model.num_parameters:,} parameters on {where}; text: {what}")
    try:
        history = _train(args, model, text, checkpoint)
    except KeyboardInterrupt:
        if checkpoint.exists():
            message(args, f"interrupted; to continue: {_resume_command(args.argv)}")
        raise
    model.save(output)
    _report(args, history, output, checkpoint)


def _read_text(args: argparse.Namespace) -> Corpus:
    if not args.files:
        if args.encoding is not None and not isinstance(args.validation, Path):
            args.parser.error(f"--encoding is that of FILEs; {BUNDLED} is UTF-8")
        return read_corpus(slm.sample_text(), args.documents, BUNDLED)
    files = [Path(file) for file in args.files]
    text: Text = files[0] if len(files) == 1 else files
    return read_corpus(text, args.documents, encoding=args.encoding)


def _check_output(args: argparse.Namespace, output: Path, checkpoint: Path) -> None:
    """Raises an error before training if its result could not be written."""
    if output.is_dir():
        raise slm.ConfigError(f"the output {str(output)!r} is a folder, not a file")
    if not (args.resume or args.source or args.overwrite):
        for path, what in ((output, "exists"), (checkpoint, "holds a run")):
            if path.exists():
                raise slm.ConfigError(
                    f"{path} {what}: give --resume to continue, --from to start from a model, "
                    "--overwrite to replace it, or another -o"
                )
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        sentence = f"cannot write to the folder {str(output.parent)!r}: {error.strerror}"
        raise OSError(error.errno, sentence) from None


def _model(args: argparse.Namespace, checkpoint: Path, text_bytes: int) -> slm.Model:
    device: dict[str, Any] = {
        "device": args.device,
        "threads": args.threads,
        "precision": args.precision,
    }
    values = overrides_from_args(args, slm.Config)
    if args.source:
        if args.preset or values:
            args.parser.error("--from takes the whole model: give no preset and no option of it")
        return slm.load(args.source, **device)
    preset = fitting_preset(args.preset or slm.default_preset, text_bytes)
    if args.resume:
        run = _core.checkpoint_header(os.fsencode(checkpoint))
        if args.precision == "auto" and run["precision"]:
            device["precision"] = run["precision"]
        if not args.preset:
            if args.steps is None and args.seconds is None:
                args.seconds = run["length"].get("seconds")
            config = slm.Config(**run["config"])
            preset = slm.Preset(config, slm.TrainConfig(**run["train_config"]))
    return slm.Model(preset, seed=args.seed or 0, **values, **device)


def _train(
    args: argparse.Namespace, model: slm.Model, text: Corpus, checkpoint: Path
) -> slm.History:
    def show_sample(p: slm.Progress) -> None:
        if p.evaluation and args.sample_bytes > 0 and not args.quiet:
            sample = model.generate("", args.sample_bytes, temperature=0.8, seed=p.step)
            # On one line, and without the escape sequences that an untrained model emits.
            line = " ".join(sample.split())
            say("  | " + "".join(c if c.isprintable() else "\ufffd" for c in line))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = lambda note, *_: None if args.quiet else say(f"slm: note: {note}")
        return model.train(
            text,
            documents=args.documents,
            seconds=args.seconds,
            validation=_read_validation(args),
            eval_every=args.eval_every,
            patience=args.patience,
            checkpoint=checkpoint,
            checkpoint_seconds=args.checkpoint_seconds,
            resume=args.resume,
            callback=show_sample,
            progress=not args.quiet,
        )


def _report(args: argparse.Namespace, history: slm.History, output: Path, checkpoint: Path) -> None:
    kind = "validation" if args.validation else "training"
    message(
        args,
        f"{history.steps} {plural(history.steps, 'step')} in {history.seconds:.1f} s, "
        f"{speed(history.bytes_per_second)}; best at step {history.best_step}: "
        f"{history.best_loss:.4f} nats per byte ({kind})",
    )
    option = "" if args.output == DEFAULT_MODEL else f" -m {shlex.quote(args.output)}"
    prompt = "" if args.files else " --prompt ROMEO:"
    message(args, f"wrote {output}; to try it: slm generate{option}{prompt}")
    if args.json:
        result = {**asdict(history), "model": str(output), "checkpoint": str(checkpoint)}
        result["evaluations"] = [
            {k: v if v == v else None for k, v in e.items()} for e in result["evaluations"]
        ]
        print_json(result)


def _read_validation(args: argparse.Namespace) -> float | Text:
    validation: float | Path = args.validation
    if args.encoding is None or not isinstance(validation, Path):
        return validation
    files = map(os.fsdecode, _core.text_files([os.fsencode(validation)]))
    return [slm.load_text(file, encoding=args.encoding) for file in files]


def _resume_command(argv: list[str]) -> str:
    """The same command line, with --resume instead of --overwrite or --from."""
    kept: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--from":
            next(words)
        elif word not in ("--overwrite", "--resume") and not word.startswith("--from="):
            kept.append(word)
    return shlex.join(["slm", *kept, "--resume"])


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s, 5m or 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def _validation(text: str) -> float | Path:
    if not text:  # Path("") is the folder that one is in
        raise argparse.ArgumentTypeError("it is empty; 0 trains without validation")
    try:
        return float(text)
    except ValueError:
        return Path(text)
