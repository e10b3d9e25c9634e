"""Results as JSON lines, one for each run, each with the machine that it ran on."""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import slm
from slm import _core
from slm.bench.machine import cpu_name

RESULTS = Path(__file__).parent / "results.jsonl"
SEARCH = Path(__file__).parent / "search.jsonl"
COLD = Path(__file__).parent / "cold.jsonl"


def machine(threads: int | None = None, precision: str = "float32") -> dict[str, Any]:
    """Call it before a run: `load` is then the work of others, beside which a measured time means
    little."""
    return {
        "cpu": cpu_name(),
        "isa": _core.bf16_isa() if precision == "bf16" else _core.isa(),
        "threads": threads or _core.available_cores(),
        "load": round(os.getloadavg()[0], 2),
        "version": slm.__version__,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def append(path: Path, record: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]
