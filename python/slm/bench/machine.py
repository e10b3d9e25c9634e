"""The machine: its name, and its measured roofline."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import slm
from slm import _core


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe(threads: int) -> dict[str, Any]:
    """`threads` is a number, or 0 for one per core. Measures for half a second."""
    buffer = 4 * _largest_cache()
    return {
        "cpu": cpu_name(),
        "isa": _core.isa(),
        "threads": threads or _core.available_cores(),
        "version": slm.__version__,
        "fma_gflops": _core.measure_fma(threads, 0.3),
        "memory_read_bytes": buffer,
        "memory_read_gbps": _core.measure_read(threads, buffer, 0.2),
    }


def summary(here: dict[str, Any]) -> str:
    threads = "1 thread" if here["threads"] == 1 else f"{here['threads']} threads"
    return (
        f"{here['cpu']}, {here['isa']}, {threads}, slm {here['version']}: multiply-adds "
        f"{here['fma_gflops']:.1f} GFLOP/s, reads from memory {here['memory_read_gbps']:.1f} GB/s"
    )


def _largest_cache() -> int:
    """In bytes; a common size where the system does not report it."""
    caches = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    sizes = [path.read_text(encoding="utf-8").strip() for path in caches]
    return max((int(s[:-1]) << 10 for s in sizes if s.endswith("K")), default=32 << 20)
