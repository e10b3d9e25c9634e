"""Training and generation on a GPU, as a Markdown table; benchmarks/gpu.sh runs it.

    python benchmarks/gpu.py [--device cuda] [--rounds 3] [--sizes reference small] [--steps N]

Useful operations are 6 for each byte and weight of a matrix product. They are shown as a share of
the float32 peak of the device, computed from its clock and its number of cores; TF32 and bfloat16
may exceed it. If PyTorch is installed, its training step on the same model and device is measured
in the same rounds, in float32 and TF32, in eager mode and compiled. With --steps, only the first
size is trained for that many steps, for a profiler.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
from collections.abc import Iterable, Iterator

import slm
from slm import _core
from slm.bench import machine
from slm.bench.meters import Bench, Meter, best_of
from slm.bench.sizes import label, multiplied_weights, recommended_sizes, reference_size

THREADS = _core.available_cores()
CORES = {7: 64, 8: 128, 9: 128, 10: 128, 12: 128}  # per multiprocessor, by compute capability
CORES_A100 = 64  # compute capability 8.0
HEADER = "size, precision, training MB/s, TFLOP/s, share of float32 peak, generation kB/s"
PEERS = {"PyTorch": {"scan": False}, "compiled": {"scan": True, "compiled": True}}


def all_sizes() -> dict[str, slm.Preset]:
    return {"reference": reference_size(512, 256, 8, 1024, 16), **recommended_sizes()}


def peak_flops(device: str) -> tuple[str, float]:
    """Name of the device and its peak float32 operations per second."""
    if device == "cpu":
        here = machine.describe(0)
        return here["cpu"], here["fma_gflops"] * 1e9
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise SystemExit(f"gpu.py: there is no NVIDIA driver ({error})") from None
    name = ctypes.create_string_buffer(256)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetName(name, 256, 0) != 0:
        raise SystemExit("gpu.py: the NVIDIA driver has no device")

    def attribute(number: int) -> int:
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), number, 0)
        return value.value

    clock_khz, multiprocessors, major, minor = map(attribute, (13, 16, 75, 76))
    cores = CORES_A100 if (major, minor) == (8, 0) else CORES.get(major, 128)
    return name.value.decode(), 2e3 * clock_khz * multiprocessors * cores


def has_torch(device: str) -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return device == "cpu" or bool(torch.cuda.is_available())


def allow_tf32(precision: str) -> None:
    import torch

    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")


def row(name: str, size: slm.Preset, precision: str, args: argparse.Namespace) -> list[str]:
    bench = Bench(
        size, threads=THREADS, seconds=args.seconds, device=args.device, precision=precision
    )
    meters: dict[str, Meter] = {"training": bench.training(), "generation": bench.generation()}
    if args.peers and precision != "bf16":
        allow_tf32(precision)
        meters |= {peer: bench.torch(**how) for peer, how in PEERS.items()}
    best = best_of(args.rounds, meters)
    flops = 6 * multiplied_weights(bench.model) * best["training"]
    cells = [f"{name}: {label(size)}", precision, f"{best['training'] / 1e6:.3f}"]
    cells += [f"{flops / 1e12:.3f}", f"{flops / args.peak:.2f}", f"{best['generation'] / 1e3:.1f}"]
    if args.peers:
        cells += [f"{best['training'] / best[peer]:.1f}" if peer in best else "" for peer in PEERS]
    return cells


def rows(sizes: dict[str, slm.Preset], args: argparse.Namespace) -> Iterator[list[str]]:
    for name, size in sizes.items():
        for precision in args.precisions:
            yield row(name, size, precision, args)


def print_row(cells: Iterable[str]) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def train(size: slm.Preset, steps: int, device: str) -> None:
    bench = Bench(size, threads=THREADS, seconds=0, device=device)
    step = bench.training()
    for _ in range(steps):
        step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="time of each measurement in a round"
    )
    parser.add_argument("--sizes", nargs="+", choices=[*all_sizes()], default=[*all_sizes()])
    parser.add_argument("--precisions", nargs="+", default=["float32", "tf32", "bf16"])
    parser.add_argument("--steps", type=int, help="train the first size for N steps and stop")
    args = parser.parse_args()
    sizes = {name: all_sizes()[name] for name in args.sizes}
    if args.steps:
        train(next(iter(sizes.values())), args.steps, args.device)
        return
    name, args.peak = peak_flops(args.device)
    args.peers = has_torch(args.device)
    print(f"\n## {name}, float32 peak {args.peak / 1e12:.2f} TFLOP/s, slm {slm.__version__}\n")
    if not args.peers:
        print(f"PyTorch is not installed for device {args.device}: only slm is measured.\n")
    header = HEADER.split(", ")
    if args.peers:
        header += [f"times as fast as {peer}" for peer in ("PyTorch", "PyTorch compiled")]
    print_row(header)
    print_row(["---"] * len(header))
    for cells in rows(sizes, args):
        print_row(cells)


if __name__ == "__main__":
    main()
