"""The rules of the tree: who may include what, what the core must not do, how long a file may be.
Each rule comes with a planted violation, so that it is known to be able to fail."""

import graphlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from project import ROOT

FOLDERS = [".ci", "benchmarks", "cmake", "cpp", "cuda", "docs", "examples", "python", "tests"]
CODE = r"\.(cpp|h|cu|cuh|py|pyi|cmake)$|CMakeLists\.txt$"
CPP = r"\.(cpp|h|cu|cuh)$"
MAX_LINES = 500
MAX_PUBLIC_HEADER_LINES = 160


@dataclass(frozen=True)
class Rule:
    name: str
    files: str  # regular expression of the paths that the rule is about
    broken: Callable[[str], bool]  # by a file's text
    planted: tuple[str, str]  # path and text of a violation
    outside: str = "$."  # paths that are free of the rule; by default none

    def applies(self, path: str) -> bool:
        return bool(re.search(self.files, path)) and not re.search(self.outside, path)


def has(pattern: str) -> Callable[[str], bool]:
    return lambda text: bool(re.search(pattern, text, re.MULTILINE))


def includes(header: str) -> Callable[[str], bool]:
    return has(rf'^\s*#\s*include\s*[<"]({header})')


def longer_than(limit: int) -> Callable[[str], bool]:
    return lambda text: text.count("\n") > limit


def code_has(pattern: str) -> Callable[[str], bool]:
    """Like has(), for C++ without its comments and strings."""
    noise = r'//[^\n]*|/\*.*?\*/|"(\\.|[^"\\\n])*"'
    return lambda text: bool(re.search(pattern, re.sub(noise, '""', text, flags=re.DOTALL)))


RULES = [
    Rule(
        "only the bindings include pybind11",
        CPP,
        includes("pybind11"),
        ("cpp/src/model.cpp", "#include <pybind11/numpy.h>\n"),
        outside=r"^cpp/bindings/",
    ),
    Rule(
        "only cuda/ includes CUDA headers",
        CPP,
        includes(r"cuda|cublas|curand|cub/|cooperative_groups|nccl|nv"),
        ("cpp/src/make_backend.cpp", "#include <cuda_runtime.h>\n"),
        outside=r"^cuda/",
    ),
    Rule(
        "only cpp/src/cpu includes intrinsics",
        CPP,
        includes(r"\w*intrin\.h|arm_\w+\.h|cpuid\.h"),
        ("cpp/src/pass/forward.cpp", "#include <immintrin.h>\n"),
        outside=r"^cpp/src/cpu/",
    ),
    Rule(
        "public headers do not depend on how the library was built",
        r"^cpp/include/",
        has(r"^\s*#\s*(if|ifdef|ifndef|elif)\b"),
        ("cpp/include/slm/model.h", "#ifdef SLM_CUDA\n#endif\n"),
    ),
    Rule(
        "public headers include the standard library and slm alone",
        r"^cpp/include/",
        has(r'^\s*#\s*include\s*(<.*[/.]|"(?!slm/))'),
        ("cpp/include/slm/model.h", "#include <sys/types.h>\n"),
    ),
    Rule(
        "the core does not print",
        r"^(cpp/src|cpp/include|cuda)/",
        code_has(
            r"\bstd::c(out|err|log)\b|\b(v?f?printf|f?puts|putchar|perror)\s*\(|\bstd(out|err)\b"
        ),
        ("cpp/src/train/fit.cpp", 'std::printf("%d", 1);\n'),
    ),
    Rule(
        "the core does not end the process",
        r"^(cpp/src|cpp/include|cuda)/",
        code_has(r"\b(exit|_exit|_Exit|quick_exit|abort|terminate|assert)\s*\("),
        ("cpp/src/io/file.cpp", "if (bad) abort();\n"),
    ),
    Rule(
        "headers have #pragma once",
        r"\.(h|cuh)$",
        lambda text: not re.search(r"^#pragma once$", text, re.MULTILINE),
        ("cpp/src/tensors.h", "#include <vector>\n"),
    ),
    Rule(
        "no flag that changes results or ties the library to one machine",
        r"(CMakeLists\.txt|CMakePresets\.json|\.cmake|pyproject\.toml)$",
        has(r"-march=native|-mtune=native|-ffast-math|-Ofast|-flto|INTERPROCEDURAL"),
        ("cmake/library.cmake", "target_compile_options(slm PRIVATE -march=native)\n"),
    ),
    Rule(
        f"files of at most {MAX_LINES} lines",
        CODE,
        longer_than(MAX_LINES),
        ("cpp/src/model.cpp", "\n" * (MAX_LINES + 1)),
    ),
    Rule(
        f"public headers of at most {MAX_PUBLIC_HEADER_LINES} lines",
        r"^cpp/include/",
        longer_than(MAX_PUBLIC_HEADER_LINES),
        ("cpp/include/slm/model.h", "\n" * (MAX_PUBLIC_HEADER_LINES + 1)),
    ),
]


def tree() -> Iterator[tuple[str, str]]:
    """Path and text of every file that a rule may be about."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    files += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in files:
        name = path.relative_to(ROOT).as_posix()
        if any(rule.applies(name) for rule in RULES):
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_is_kept(rule: Rule) -> None:
    broken = [path for path, text in tree() if rule.applies(path) and rule.broken(text)]
    assert not broken, f"{rule.name}: {', '.join(broken)}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_can_fail(rule: Rule) -> None:
    path, text = rule.planted
    assert rule.applies(path)
    assert rule.broken(text)


def test_words_in_comments_and_strings_are_free() -> None:
    broken = code_has(r"\babort\s*\(")
    assert not broken('// abort() is for others\nthrow Error("abort()");  /* abort() */\n')


def test_workflow_presets_that_are_named_exist() -> None:
    presets = json.loads((ROOT / "CMakePresets.json").read_text(encoding="utf-8"))
    there = {preset["name"] for preset in presets["workflowPresets"]}
    workflow = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "developing.md").read_text(encoding="utf-8")
    for named in [
        re.findall(r"\bpreset: (\w+)", workflow),
        re.findall(r"cmake --workflow --preset (\w+)", page),
    ]:
        assert named
        assert {*named} <= there


def unlinked(pages: set[str], texts: list[str]) -> set[str]:
    linked = {target for text in texts for target in re.findall(r"\]\(([^)#]+)", text)}
    return {page for page in pages if not {page, f"docs/{page}"} & linked}


def test_every_page_of_docs_is_linked() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    sources = [ROOT / "README.md", ROOT / "docs" / "README.md"]
    texts = [path.read_text(encoding="utf-8") for path in sources if path.exists()]
    assert unlinked(pages - {"README.md"}, texts) == set()
    assert unlinked({"lost.md"}, texts) == {"lost.md"}


def import_order(texts: dict[str, str]) -> list[str]:
    """Modules of the package by the order in which they can be imported; imports for type checkers
    count, too."""
    found = re.compile(r"^\s*from slm\.(\w+) import", re.MULTILINE)
    graph = {name: {*found.findall(text)} for name, text in texts.items()}
    return [*graphlib.TopologicalSorter(graph).static_order()]


def test_python_modules_import_each_other_in_no_circle() -> None:
    folder = ROOT / "python" / "slm"
    order = import_order({path.stem: path.read_text("utf-8") for path in folder.glob("[!_]*.py")})
    assert order.index("history") < order.index("train") < order.index("model")
    with pytest.raises(graphlib.CycleError):
        import_order({"a": "from slm.b import B\n", "b": "    from slm.a import A\n"})
