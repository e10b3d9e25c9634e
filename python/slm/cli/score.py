"""Score texts: nats and bits per byte, perplexity.

--per-byte prints a line of four columns for each byte: file, offset, byte, and the natural
logarithm of its probability. The summary then goes to standard error.

--lines scores each line by itself, without its LF or CRLF, and prints a line of four columns for
it: bits per byte, bytes, file and line number, and how the line begins. The odd lines of a log:

    slm score --lines app.log | sort -rn | head
"""

from __future__ import annotations

import argparse
import sys

import slm
from slm.cli import score_lines
from slm.cli.options import (
    Commands,
    add_device_options,
    add_encoding_option,
    add_model_option,
    add_output_options,
    message,
    new_parser,
    open_model,
    plural,
    print_json,
    standard_input,
)
from slm.encodings import note_on
from slm.text import ByteArray, to_array


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "score", __doc__)
    parser.set_defaults(run=run)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="text files, folders of .txt files, or - for standard input",
    )
    add_model_option(parser)
    add_encoding_option(parser)
    parser.add_argument(
        "--adapt",
        action="store_true",
        help="dynamic evaluation: update the weights after each scored window; they are reset for "
        "every FILE",
    )
    parser.add_argument(
        "--per-byte", action="store_true", help="print the log-probability of every byte"
    )
    parser.add_argument(
        "--lines",
        action="store_true",
        help="score each line of the FILEs by itself",
    )
    add_device_options(parser)
    add_output_options(parser)


def run(args: argparse.Namespace) -> None:
    if args.lines:
        if args.adapt or args.per_byte:
            raise slm.ConfigError("--lines goes neither with --adapt nor with --per-byte")
        if args.encoding:
            raise slm.ConfigError("--lines takes no --encoding: convert the FILEs first (iconv)")
        score_lines.run(args)
        return
    # None is scored unless all can be read.
    texts = [_read(name, args.encoding) for name in args.files]
    model = open_model(args)
    if model.config.documents:
        what = "the file is scored as one" if len(texts) == 1 else "each FILE is scored as one"
        message(
            args,
            f"note: the model was trained on documents, and {what} of them; --lines scores each "
            "line by itself",
        )
    for name, text in zip(args.files, texts, strict=True):
        if note := note_on(text):
            message(args, f"note: {name}: {note}")
        score = model.score(text, log_probs=args.per_byte, adapt=args.adapt)
        summary = (
            f"{name}: {score.nats_per_byte:.4f} nats per byte, {score.bits_per_byte:.4f} bits per "
            f"byte, perplexity {score.perplexity:.4f}, {score.num_bytes} "
            f"{plural(score.num_bytes, 'byte')}"
        )
        if args.json:
            _print_json(args, name, score)
        elif args.per_byte:
            for i, (byte, log_prob) in enumerate(zip(text, score.log_probs, strict=True)):
                sys.stdout.write(f"{name}\t{i}\t{byte}\t{log_prob:.6g}\n")
            message(args, summary)
        else:
            print(summary, flush=True)


def _read(name: str, encoding: str | None) -> ByteArray:
    if name != "-":
        return slm.load_text(name, encoding=encoding)
    text = to_array(standard_input().buffer.read(), "standard input", encoding)
    if text.size == 0:
        raise slm.ConfigError("standard input is empty; at least one byte is needed")
    return text


def _print_json(args: argparse.Namespace, name: str, score: slm.Score) -> None:
    result = {
        "file": name,
        "num_bytes": score.num_bytes,
        "nats_per_byte": score.nats_per_byte,
        "bits_per_byte": score.bits_per_byte,
        "perplexity": score.perplexity,
    }
    if args.per_byte:
        result["log_probs"] = score.log_probs.tolist()
    print_json(result)
