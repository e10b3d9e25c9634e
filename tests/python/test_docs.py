"""Every code block of the README and of docs/ runs as it stands. The blocks of a page follow each
other in one empty folder; Python blocks also share their names. A block that is no program is
marked ```text or ```diff."""

import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, run

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKING = sorted({*PAGES, *ROOT.glob("*.md"), *ROOT.glob("[!.]*/README.md")})
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The README's two commands, which .ci/run runs, and what Debian needs before them.
INSTALL = re.compile(r"^(sudo )?(apt|pip) install |^python3 -m venv ")


def install_commands(page: Path) -> list[str]:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = [line for language, code in blocks if language == "sh" for line in code.splitlines()]
    return [line for line in lines if line.startswith("pip install ")]


def run_cpp(code: str, build: Path, folder: Path) -> None:
    if "int main(" not in code:
        includes = re.findall(r"^#include .*\n", code, re.MULTILINE)
        body = re.sub(r"^#include .*\n", "", code, flags=re.MULTILINE)
        code = '#include "slm/slm.h"\n' + "".join(includes) + f"int main() {{\n{body}}}\n"
    (folder / "block.cpp").write_text(code, encoding="utf-8")
    library = ["-I", ROOT / "cpp" / "include", build / "libslm.a", "-pthread"]
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    if runtime := re.search(r"^SLM_CUDART:FILEPATH=(.+)$", cache, re.MULTILINE):
        library += [runtime[1], "-ldl", "-lrt"]  # as the installed package does
    run(["c++", "-std=c++17", "-Wall", "-Wextra", "-o", "block", "block.cpp", *library], folder)
    run([folder / "block"], folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_blocks_run(
    page: Path, cpp_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        language, code = block.groups()
        where = f"{page.name}:{text.count(chr(10), 0, block.start()) + 1}"
        if language == "python":
            exec(compile(textwrap.dedent(code), where, "exec"), names)
        elif language == "cpp":
            run_cpp(code, cpp_build, tmp_path)
        elif language == "sh":
            if not INSTALL.search(code):
                run(["bash", "-euo", "pipefail", "-c", code], tmp_path)
        else:
            assert language in ("text", "diff"), (
                f"{where}: a block is python, cpp, sh, text or diff"
            )


def test_tables_of_options_are_up_to_date() -> None:
    run([sys.executable, ROOT / "docs" / "generate_tables.py", "--check"])


def test_install_commands_are_the_two_promised() -> None:
    promised = ["pip install . && python -m slm train", "pip install '.[test]' && pytest"]
    assert install_commands(ROOT / "README.md") == promised


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\(([^)#]+)", prose)
    lost = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not lost
