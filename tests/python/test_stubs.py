"""_core.pyi says what _core has: every function, class and member, with the same arguments."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import slm
from slm import _core

STUB = ast.parse((Path(slm.__file__).parent / "_core.pyi").read_text(encoding="utf-8"))


def members(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    named: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            named[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            named[node.target.id] = node
    return named


def public(names: Any) -> set[str]:
    kept = {"__init__", "__version__", "_next_byte_distribution"}
    return {name for name in names if not name.startswith("_") or name in kept}


def argument_names(function: ast.FunctionDef) -> list[str]:
    return [a.arg for a in function.args.args if a.arg not in ("self", "callback")]


def documented_names(function: Any) -> list[str]:
    """pybind11 writes the signature into the docstring."""
    signature = (function.__doc__ or "").splitlines()[0]
    return [n for n in re.findall(r"(\w+): ", signature) if n not in ("self", "callback", "arg0")]


def check_function(function: Any, stub: ast.FunctionDef, name: str) -> None:
    documented = documented_names(function)
    if documented:
        assert documented == argument_names(stub), name


def test_module() -> None:
    stubs = members(STUB.body)
    assert public(stubs) == public(vars(_core))
    for name, stub in stubs.items():
        if isinstance(stub, ast.FunctionDef):
            check_function(getattr(_core, name), stub, name)


def test_classes() -> None:
    for name, stub in members(STUB.body).items():
        if not isinstance(stub, ast.ClassDef):
            continue
        real, declared = getattr(_core, name), members(stub.body)
        made_elsewhere = {"__init__"} if name == "State" else set()
        assert public(declared) == public(vars(real)) - made_elsewhere, name
        for member, node in declared.items():
            assert isinstance(node, ast.FunctionDef)
            if isinstance(vars(real).get(member), property):
                assert node.decorator_list, f"{name}.{member} is a property"
            else:
                check_function(getattr(real, member), node, f"{name}.{member}")


def test_every_public_name_is_documented() -> None:
    for name in slm.__all__:
        if name not in ("__version__", "default_preset"):
            assert getattr(slm, name).__doc__, name
    for name, member in vars(slm.Model).items():
        if not name.startswith("_") and name != "num_parameters":
            assert member.__doc__, name
