"""The project's root folder, and running of commands in tests."""

import os
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read_terminal(master: int) -> bytes:
    """What a program writes to its terminal, of which `master` is the other end, until it ends."""
    shown = b""
    while True:
        try:
            shown += os.read(master, 1 << 16)
        except OSError:  # the program's end is closed
            return shown


def run(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    may_fail: bool = False,
) -> str:
    """Runs a command, with the tools of this environment first in PATH. Returns its stdout; fails
    with all of its output, unless it may fail."""
    full_env = {**os.environ, **(env or {})}
    full_env["PATH"] = sysconfig.get_path("scripts") + os.pathsep + full_env["PATH"]
    # Popen looks the program up in this process's PATH, so `env` does it in the changed one.
    done = subprocess.run(
        ["env", *map(str, command)],
        cwd=cwd,
        env=full_env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    output = f"{done.stdout}{done.stderr}"
    assert may_fail or done.returncode == 0, (
        f"{' '.join(map(str, command))}: {done.returncode}\n{output}"
    )
    return done.stdout
