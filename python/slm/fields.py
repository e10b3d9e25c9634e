"""Options that are the fields of a dataclass and, by the same names, keywords of functions.

A function takes them as `**fields: Unpack[...]` of a TypedDict, which type checkers and editors
read. For people, `with_fields` adds them to its signature and explains them in its docstring.
"""

from __future__ import annotations

import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

T = TypeVar("T")


def option(text: str, *, auto: bool = False, **default: Any) -> Any:
    """A field with its help text. With `auto`, "auto" is one of its values."""
    return dataclasses.field(metadata={"help": text, "auto": auto}, **default)


def defaults_from(fields: Mapping[str, Mapping[str, Any]]) -> Callable[[type[T]], type[T]]:
    """Below @dataclass: gives the fields that have no default the one of the C++ library."""

    def apply(cls: type[T]) -> type[T]:
        for name in cls.__annotations__:
            field = getattr(cls, name)
            if field.default is dataclasses.MISSING:
                field.default = fields[name]["default"]
        return cls

    return apply


def help_texts(config: Any, names: Collection[str]) -> dict[str, str]:
    return {f.name: f.metadata["help"] for f in dataclasses.fields(config) if f.name in names}


def with_fields(keywords: Any, config: Any, *, override: bool = True) -> Callable[[T], T]:
    """For a function that takes `**fields: Unpack[keywords]`, or a class whose constructor does:
    lists the fields in its signature, and explains them at the line {fields} of its docstring.

    `override`: the function replaces values of another config, so that None keeps those."""
    texts = help_texts(config, keywords.__annotations__)
    defaults = {f.name: None if override else f.default for f in dataclasses.fields(config)}

    def apply(target: T) -> T:
        function: Any = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        for name in texts:
            annotation = keywords.__annotations__[name]
            annotation = getattr(annotation, "__forward_arg__", annotation)
            parameters.append(
                inspect.Parameter(
                    name,
                    inspect.Parameter.KEYWORD_ONLY,
                    default=defaults[name],
                    annotation=annotation,
                )
            )
        function.__signature__ = signature.replace(parameters=parameters)
        if target.__doc__:
            target.__doc__ = _explain(target.__doc__, texts)
        return target

    return apply


def _explain(doc: str, texts: Mapping[str, str]) -> str:
    before, _, after = doc.partition("{fields}")
    indent = before[before.rindex("\n") + 1 :]
    lines = [
        textwrap.fill(
            f"{name}: {text}", 100, initial_indent=indent, subsequent_indent=indent + "    "
        )
        for name, text in texts.items()
    ]
    return before.rstrip(" ") + "\n".join(lines) + after


def check_keywords(function: Any, given: Collection[str], known: Collection[str]) -> None:
    """Raises a TypeError, as Python itself would, for the first name that is not known."""
    for name in given:
        if name not in known:
            near = get_close_matches(name, inspect.signature(function).parameters, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{function.__qualname__}() got an unexpected keyword argument {name!r}{hint}"
            )
