"""Text from outside, escaped: nothing in it can control a terminal or hide what it says."""

from __future__ import annotations

import unicodedata
from typing import Final

_SPACES: Final = "Zs"
"""Unicode's category of spaces, which Python does not call printable but for the first."""


def printable(text: str) -> str:
    r"""Return text with what cannot be seen escaped as in Python: `\x1b`, `\u202e`, `\udcff`.

    That is control characters, line separators, characters that change the direction of text or
    have no width, lone surrogates (octets that are not UTF-8) and unassigned characters. All
    other text stays as it is, in any script. A backslash stays, too: escaping twice is escaping
    once.
    """
    if text.isprintable():
        return text
    return "".join(char if _is_seen(char) else _escaped(char) for char in text)


def printable_lines(text: str) -> str:
    """Return text of several lines likewise: its line feeds stay."""
    return "\n".join(map(printable, text.split("\n")))


def _is_seen(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == _SPACES


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
