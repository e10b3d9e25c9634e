r"""Continue a prompt. Text is printed as it is generated.

With -e, the escapes \n, \r, \t, \\ and \xNN in --prompt, --stop, --allowed, --logit-bias and the
lines of --interactive stand for bytes. A terminal is sent no control characters: they are shown as
\xNN. Files and pipes get the bytes as they are.
"""

from __future__ import annotations

import argparse
import base64
import os
import shlex
import sys
from contextlib import suppress
from math import inf, isnan
from typing import Any

import slm
from slm.cli.escapes import has_escape, unescape, visible
from slm.cli.options import (
    Commands,
    add_device_options,
    add_fields,
    add_model_option,
    add_output_options,
    message,
    new_parser,
    open_model,
    overrides_from_args,
    print_json,
    standard_input,
)
from slm.generate import ANY, SEEN, Sample, SampleOptions, generate_samples, stream_text


def add_parser(commands: Commands) -> None:
    parser = new_parser(commands, "generate", __doc__)
    parser.set_defaults(run=run)
    parser.text_options = ("--prompt", "--stop", "--allowed", "--logit-bias")
    add_model_option(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--prompt", default="", metavar="P", help="text to continue; - reads standard input"
    )
    source.add_argument(
        "--interactive",
        action="store_true",
        help="continue each line of standard input; Ctrl-C ends a text, Ctrl-D the program",
    )
    parser.add_argument(
        "-e",
        "--escapes",
        action="store_true",
        help=r"interpret the backslash escapes \n, \r, \t, \\ and \xNN",
    )
    parser.add_argument(
        "--include-prompt",
        action=argparse.BooleanOptionalAction,
        help="print the prompt before the text (default: yes, but not with --interactive)",
    )
    parser.add_argument(
        "--max-bytes",
        type=int,
        default=200,
        metavar="N",
        help="number of bytes to generate (default: %(default)s)",
    )
    _add_sampling(parser)
    add_device_options(parser)
    add_output_options(parser)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    sampling = parser.add_argument_group("sampling")
    add_fields(sampling, SampleOptions, defaults=True)
    sampling.add_argument(
        "--allowed",
        default=SEEN,
        metavar="TEXT",
        help=f"sample only the bytes of TEXT; {SEEN}: those of the model's training text, if they "
        f"are known; {ANY}: all (default: %(default)s)",
    )
    sampling.add_argument(
        "--logit-bias",
        action="append",
        default=[],
        metavar="BYTE=X",
        help="add X to the logit of BYTE, a text of one byte; -inf bans it; repeatable",
    )
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
        help="stop sequence, printed only with --include-stop; repeatable",
    )
    sampling.add_argument(
        "-n",
        "--num-samples",
        type=int,
        metavar="N",
        help="generate N samples, separated by lines ---; those of a model of documents are lines "
        "of their own where none of them has several",
    )


def run(args: argparse.Namespace) -> None:
    if args.interactive and (args.json or args.num_samples is not None):
        raise slm.ConfigError(
            "--interactive prints one text for each line: leave out --json and -n"
        )
    _note_escapes(args)
    options = SampleOptions(
        **overrides_from_args(args, SampleOptions),
        seed=args.seed,
        stop=[_value_of(args, "--stop", stop) for stop in args.stop],
        allowed=_allowed(args),
        logit_bias=dict(_bias_of(args, entry) for entry in args.logit_bias),
    )
    model = open_model(args)
    if args.interactive:
        _interact(model, args, options)
        return
    from_stdin = args.prompt == "-"
    prompt = (
        standard_input().buffer.read() if from_stdin else _value_of(args, "--prompt", args.prompt)
    )
    if args.num_samples is None and not args.json:
        _stream(model, prompt, args, options)
    else:
        _print_samples(model, prompt, args, options)


def _bytes_of(args: argparse.Namespace, text: str) -> bytes:
    return unescape(os.fsencode(text)) if args.escapes else os.fsencode(text)


def _value_of(args: argparse.Namespace, option: str, text: str) -> bytes:
    try:
        return _bytes_of(args, text)
    except slm.ConfigError as error:
        raise slm.ConfigError(f"{option}: {error}") from None


def _note_escapes(args: argparse.Namespace) -> None:
    options = {"--prompt": [args.prompt], "--stop": args.stop, "--allowed": [args.allowed]}
    options["--logit-bias"] = args.logit_bias
    for option, texts in options.items():
        for text in texts:
            if not args.escapes and has_escape(text):
                shown = f"{option} {shlex.quote(text)}"
                message(args, f"{shown} is a text with a backslash; with -e, that is an escape")


def _allowed(args: argparse.Namespace) -> str | bytes:
    allowed: str = args.allowed
    return allowed if allowed in (SEEN, ANY) else _value_of(args, "--allowed", allowed)


def _bias_of(args: argparse.Namespace, entry: str) -> tuple[bytes, float]:
    text, equals, bias = entry.rpartition("=")
    byte = _value_of(args, "--logit-bias", text)
    try:
        value = float(bias)
    except ValueError:
        equals = ""
    if not equals:
        raise slm.ConfigError(f"--logit-bias {entry} is not of the form BYTE=X, such as e=-2.5")
    if len(byte) != 1:
        raise slm.ConfigError(f"--logit-bias {entry}: BYTE has {len(byte)} bytes, not one")
    if isnan(value) or value == inf:
        raise slm.ConfigError(f"--logit-bias {entry}: X must be a finite number or -inf")
    return byte, value


def _includes_prompt(args: argparse.Namespace) -> bool:
    return not args.interactive if args.include_prompt is None else bool(args.include_prompt)


def _write(text: bytes) -> None:
    sys.stdout.buffer.write(visible(text) if sys.stdout.isatty() else text)
    sys.stdout.buffer.flush()


def _stream(
    model: slm.Model, prompt: bytes, args: argparse.Namespace, options: SampleOptions
) -> None:
    piece = b""
    try:
        for piece in stream_text(
            model._core,
            prompt,
            args.max_bytes,
            _includes_prompt(args),
            options,
            whole_characters=True,
        ):
            _write(piece)
    except KeyboardInterrupt:
        if not args.interactive:
            raise
    # Pipes and files get exactly the bytes of the text.
    if (args.interactive or sys.stdout.isatty()) and not piece.endswith(b"\n"):
        _write(b"\n")


def _interact(model: slm.Model, args: argparse.Namespace, options: SampleOptions) -> None:
    stdin = standard_input()
    with suppress(ImportError):
        import readline  # noqa: F401  input() then has line editing and a history
    sign = "> " if stdin.isatty() and sys.stdout.isatty() else ""
    stdin.reconfigure(errors="surrogateescape")  # type: ignore[attr-defined]
    while True:
        try:
            line = input(sign)
        except EOFError:
            if sign:
                _write(b"\n")
            return
        try:
            prompt = _bytes_of(args, line)
        except slm.ConfigError as error:  # an unknown escape, which the next line may mend
            print(f"slm: error: {error}", file=sys.stderr, flush=True)
            continue
        _stream(model, prompt, args, options)


def _print_samples(
    model: slm.Model, prompt: bytes, args: argparse.Namespace, options: SampleOptions
) -> None:
    count = 1 if args.num_samples is None else args.num_samples
    (samples,) = generate_samples(
        model._core,
        [prompt],
        args.max_bytes,
        count,
        _includes_prompt(args),
        options,
        whole_characters=True,
    )
    are_lines = model.config.documents and not any(b"\n" in s.text for s in samples)
    for i, sample in enumerate(samples):
        if args.json:
            print_json({"sample": i, **_json_of(sample)})
        else:
            _write((b"---\n" if i and not are_lines else b"") + sample.text + b"\n")


def _json_of(sample: Sample[bytes]) -> dict[str, Any]:
    """The bytes are added where JSON's text, which is Unicode, cannot hold them."""
    fields: dict[str, Any] = {"text": sample.text.decode(errors="replace")}
    if fields["text"].encode() != sample.text:
        fields["bytes_base64"] = base64.b64encode(sample.text).decode()
    fields |= {"finish_reason": sample.finish_reason, "stop": None}
    if sample.stop is not None:
        fields["stop"] = sample.stop.decode(errors="replace")
        if fields["stop"].encode() != sample.stop:
            fields["stop_base64"] = base64.b64encode(sample.stop).decode()
    return fields
