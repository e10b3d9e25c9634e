"""The command `slm`: results on standard output, progress and messages on standard error.

Exit status: 0 done, 1 an error (one line, no traceback), 2 a wrong command line, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import codecs
import io
import os
import sys
from collections.abc import Sequence

from slm import __version__
from slm.cli import bench, export, generate, info, presets, score, train
from slm.cli.options import Parser
from slm.errors import Error


def main(argv: Sequence[str] | None = None) -> int:
    _prepare_streams()
    args = _parser().parse_args(argv)
    args.argv = list(sys.argv[1:] if argv is None else argv)
    try:
        args.run(args)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader closed the pipe. Python must not try to flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Error, OSError, ValueError, MemoryError) as error:
        print(f"slm: error: {_sentence(error)}", file=sys.stderr)
        return 1


def _prepare_streams() -> None:
    """A closed stream takes and drops what is written, and a file name or a letter that the
    locale's encoding lacks is escaped: neither is a reason to fail."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    replacing = {"strict": "backslashreplace", "surrogateescape": _BYTES_OR_ESCAPES}
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in replacing:
        sys.stdout.reconfigure(errors=replacing[sys.stdout.errors])


def _bytes_or_escapes(error: UnicodeError) -> tuple[str | bytes, int]:
    """For the locale C: the bytes of a file name as they are, and other letters escaped."""
    assert isinstance(error, UnicodeEncodeError)
    error.end = error.start + 1
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(error)


_BYTES_OR_ESCAPES = "slm.bytes_or_escapes"
codecs.register_error(_BYTES_OR_ESCAPES, _bytes_or_escapes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slm",
        description="Train and run small byte-level language models.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"slm {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in (train, generate, score, export, info, presets, bench):
        command.add_parser(commands)
    return parser


def _sentence(error: Exception) -> str:
    text = str(error)
    if isinstance(error, MemoryError):
        text = "not enough memory for a model or a window of this size"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
        if error.filename:
            text = f"{error.filename}: {text}"
    return " ".join(text.splitlines())
