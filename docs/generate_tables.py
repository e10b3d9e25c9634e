"""Write the tables of options in docs/ from the help texts and defaults of slm's dataclasses.

python docs/generate_tables.py          # rewrite the pages
python docs/generate_tables.py --check  # only say which pages are out of date
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import slm
from slm.config import AUTO, AUTO_FIELDS

DOCS = Path(__file__).parent
RECOMMENDED = ("nano", "small", "base", "large")


def value(name: str, v: Any) -> str:
    """A value as one writes it in Python."""
    if name in AUTO_FIELDS and v == AUTO:
        v = "auto"
    return f'`"{v}"`' if isinstance(v, str) else f"`{v!r}`" if isinstance(v, tuple) else f"{v}"


def distinct(name: str, configs: list[Any]) -> str:
    """One value where all agree, or else one for each."""
    values = [value(name, getattr(config, name)) for config in configs]
    return values[0] if len({*values}) == 1 else ", ".join(values)


def table(cls: Any, columns: dict[str, list[Any]]) -> Iterator[str]:
    """A row for each field. `columns` holds one or several objects of the class by the heading."""
    names = [f.name for f in dataclasses.fields(cls)]
    words = re.compile(r"\b(" + "|".join(name for name in names if "_" in name) + r")\b")
    yield f"| field of `slm.{cls.__name__}` | meaning | {' | '.join(columns)} |"
    yield "|" + "---|" * (2 + len(columns))
    for f in dataclasses.fields(cls):
        meaning = words.sub(r"`\1`", f.metadata["help"]).replace("*", r"\*")
        cells = [distinct(f.name, configs) for configs in columns.values()]
        yield f"| `{f.name}` | {meaning} | {' | '.join(cells)} |"


def tables() -> dict[str, str]:
    """The tables by the page that has them."""
    presets = slm.presets()
    training = {
        "`seed-small`": [presets["seed-small"].train_config],
        ", ".join(f"`{name}`" for name in RECOMMENDED): [
            presets[name].train_config for name in RECOMMENDED
        ],
    }
    config = {"`seed-small`": [presets["seed-small"].config]}
    return {
        "model.md": "\n".join(table(slm.Config, config)),
        "training.md": "\n".join(table(slm.TrainConfig, training)),
    }


def with_table(page: str, text: str) -> str:
    """`page` with the text between its markers."""
    first, last = "<!-- options: begin -->", "<!-- options: end -->"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"a page must have the lines {first} and {last}")
    return f"{before}{first}\n\n{text}\n\n{last}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if out of date")
    check = parser.parse_args().check
    outdated = False
    for name, text in tables().items():
        path = DOCS / name
        before = path.read_text(encoding="utf-8")
        after = with_table(before, text)
        if after == before:
            continue
        outdated = True
        print(f"{path}: {'out of date' if check else 'written'}")
        if not check:
            path.write_text(after, encoding="utf-8")
    return 1 if check and outdated else 0


if __name__ == "__main__":
    sys.exit(main())
