"""Takes an expression apart: its words, each with the place where it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign>==|!=|<=|>=|&&|\|\||[<>~!=(){},])
      | (?P<word>[^\s(){},"'=!<>~&|]+)
      | (?P<wrong>\S)
    )""",
    re.VERBOSE,
)

_SHOWN: Final = 40
"""How much of a word an error quotes at most."""


class Word(NamedTuple):
    """One word of an expression."""

    text: str
    column: int
    """Where it begins, counted from 1."""

    quoted: bool = False

    def wrong(self, why: str) -> UsageError:
        """Return the error that says why this word cannot stand here."""
        if not self.text and not self.quoted:
            return UsageError(f"the filter ends too early: {why}")
        shown = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}.."
        return UsageError(f"filter, column {self.column}, '{shown}': {why}")


def words(text: str) -> Iterator[Word]:
    """Yield the words of an expression, and at the end an empty one."""
    at = 0
    while match := _WORD.match(text, at):
        at = match.end()
        kind = match.lastgroup
        assert kind is not None
        found, column = match[kind], match.start(kind) + 1
        if kind == "wrong":
            why = "the quote is not closed" if found in "\"'" else "it has no meaning here"
            raise Word(found, column).wrong(why)
        if kind == "quoted":
            found = re.sub(r"\\(.)", r"\1", found[1:-1], flags=re.DOTALL)
        yield Word(found, column, kind == "quoted")
    yield Word("", len(text) + 1)
