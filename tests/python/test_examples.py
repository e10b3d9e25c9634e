"""The Python programs of examples/ do what examples/README.md says; embed/ is tested by
test_install.py."""

import re
import sys
from pathlib import Path

import pytest
from project import ROOT, run

pytestmark = pytest.mark.slow

EXAMPLES = ROOT / "examples"


def output(name: str, folder: Path, *arguments: str) -> str:
    """The output of an example that runs in an empty folder, with warnings as errors."""
    return run([sys.executable, "-W", "error", EXAMPLES / name, *arguments], folder)


def test_train_loop(tmp_path: Path) -> None:
    printed = output("train_loop.py", tmp_path)
    rows = re.findall(r"^ *(\d+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+)$", printed, re.MULTILINE)
    steps, rates, norms, losses, held_out = (
        [float(x) for x in column] for column in zip(*rows, strict=True)
    )
    assert steps == [50, 100, 150, 200]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] < 0.008
    assert all(norm > 0 for norm in norms)
    assert losses == sorted(losses, reverse=True)
    assert held_out[-1] < 1.85  # nats per byte; 1.71 here
    assert f"best: {min(held_out):.3f} nats per byte" in printed
    assert len(printed.partition("ROMEO:")[2]) > 100


def test_names(tmp_path: Path) -> None:
    printed = output("names.py", tmp_path)
    known = (EXAMPLES / "names.txt").read_text(encoding="utf-8").split()
    invented = re.findall(r"^([\d.]+)  (.+)$", printed, re.MULTILINE)
    names = [name for _, name in invented]
    assert len({*names}) == 12
    assert not {*names} & {*known}
    assert sum(name.isalpha() and name.istitle() for name in names) >= 9
    assert [loss for loss, _ in invented] == sorted(loss for loss, _ in invented)
    assert output("names.py", tmp_path) == printed


def test_log_lines(tmp_path: Path) -> None:
    """The three lines that do not belong there cost most, by far."""
    printed = output("log_lines.py", tmp_path)
    costs = re.findall(r"^ *(\d+)  (\d\d:.+)$", printed, re.MULTILINE)
    odd, normal = costs[:3], costs[3:]
    assert {re.search(r"passwd|memory|DROP TABLE", line)[0] for _, line in odd} == {
        "passwd",
        "memory",
        "DROP TABLE",
    }
    assert len(normal) == 3
    assert int(odd[-1][0]) > 2 * int(normal[0][0])


def test_language_id(tmp_path: Path) -> None:
    printed = output("language_id.py", tmp_path)
    right, of = map(
        int, re.search(r"^(\d+) of (\d+) sentences right$", printed, re.MULTILINE).groups()
    )
    assert of == 60
    assert right >= 54  # 59 here
    assert re.findall(r"[?]\n +[\d.]+  (\w+)", printed) == ["english", "german", "spanish"]


def test_language_id_of_an_argument(tmp_path: Path) -> None:
    printed = output("language_id.py", tmp_path, "Où est la gare ?")
    assert re.findall(r"[?]\n +[\d.]+  (\w+)", printed) == ["french"]
