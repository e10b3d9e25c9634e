"""Progress of a training run on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isnan

from slm.history import Progress


@contextmanager
def display(progress: bool | None) -> Iterator[Callable[[Progress], None]]:
    """A function to call after every step. `progress` is as in `Model.train`."""
    live = sys.stderr.isatty()
    if progress is False or (progress is None and not live):
        yield lambda p: None
    elif live:
        with _LiveLine() as line:
            yield line
    else:
        yield _print_evaluation


def say(line: str) -> None:
    """A line on standard error, above the live line where there is one."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


def speed(bytes_per_second: float) -> str:
    if bytes_per_second < 1e6:
        return f"{bytes_per_second / 1e3:.0f} kB/s"
    return f"{bytes_per_second / 1e6:.1f} MB/s"


def _print_evaluation(p: Progress) -> None:
    if p.evaluation:
        print(f"step {p.step}/{p.steps}  {_losses(p)}  {_speed(p)}", file=sys.stderr, flush=True)


class _LiveLine:
    """step, loss, validation, bytes per second and time left, rewritten in place."""

    def __init__(self) -> None:
        from tqdm import tqdm

        form = "{percentage:3.0f}%|{bar:8}| {desc}"  # fits 80 columns
        self._bar = tqdm(total=1, desc="", bar_format=form, file=sys.stderr, dynamic_ncols=True)
        self._validation = ""

    def __enter__(self) -> _LiveLine:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def __call__(self, p: Progress) -> None:
        if p.evaluation and not isnan(p.evaluation.validation_loss):
            self._validation = f"validation {p.evaluation.validation_loss:.3f}  "
        self._bar.total = p.steps or None
        text = f"{p.step}/{p.steps or '?'}  loss {p.loss:.3f}  {self._validation}{_speed(p)}"
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(p.step - self._bar.n)
        if p.evaluation:
            self._bar.refresh()


def _losses(p: Progress) -> str:
    assert p.evaluation is not None
    text = f"loss {p.evaluation.train_loss:.4f}"
    if not isnan(p.evaluation.validation_loss):
        text += f"  validation {p.evaluation.validation_loss:.4f}"
        text += " (best)" if p.is_best else "       "
    return text


def _speed(p: Progress) -> str:
    text = speed(p.bytes_per_second)
    if p.steps and p.step:
        left = p.seconds / p.step * (p.steps - p.step)
        text += f"  {int(left // 60)}:{int(left % 60):02d} left"
    return text
