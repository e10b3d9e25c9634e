"""Bytes that cannot be typed or shown as they are: backslash escapes stand for them."""

from __future__ import annotations

import re
import unicodedata

from slm.errors import ConfigError

_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.?)", re.DOTALL)


def unescape(text: bytes) -> bytes:
    r"""Replaces \n, \r, \t, \\ and \xNN by what they stand for."""

    def replaced(match: re.Match[bytes]) -> bytes:
        name = match[1].decode(errors="replace")
        if len(name) == 3:
            return bytes([int(name[1:], 16)])
        if name not in _LETTERS:
            raise ConfigError(
                f"the escape \\{name} in {text.decode(errors='replace')!r} is unknown; "
                r"there are \n, \r, \t, \\ and \xNN"
            )
        return _LETTERS[name].encode()

    return _ESCAPE.sub(replaced, text)


def has_escape(text: str) -> bool:
    return re.search(r"\\([nrt]|x[0-9A-Fa-f]{2})", text) is not None


def visible(text: bytes) -> bytes:
    r"""For a terminal: control characters other than newline and tab, and bytes that are not UTF-8,
    as \xNN, so that they do nothing to it."""
    shown = []
    for character in text.decode(errors="surrogateescape"):
        raw = character.encode(errors="surrogateescape")
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs"):
            shown.append(raw)
        else:
            shown += [b"\\x%02x" % byte for byte in raw]
    return b"".join(shown)
