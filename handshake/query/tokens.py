"""Splits a filter expression into tokens, each with its column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import UsageError
from handshake.escape import printable

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
"""Characters of a token that an error quotes at most."""


class Token(NamedTuple):
    """One token of an expression."""

    text: str
    column: int
    """Where it begins, from 1."""

    quoted: bool = False

    def error(self, code: str, **values: object) -> UsageError:
        """Return the error that says what is wrong with this token."""
        error = UsageError(f"filter.{code}" if code != "unknown-key" else code, **values)
        if not self.text and not self.quoted:
            return error.at("the filter ends too early")
        shown = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}.."
        return error.at(f"filter, column {self.column}, '{printable(shown)}'")


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of an expression, and an empty one at the end."""
    at = 0
    while match := _WORD.match(text, at):
        at = match.end()
        kind = match.lastgroup
        assert kind is not None
        found, column = match[kind], match.start(kind) + 1
        if kind == "wrong":
            code = "quote" if found in "\"'" else "character"
            raise Token(found, column).error(code)
        if kind == "quoted":
            found = re.sub(r"\\(.)", r"\1", found[1:-1], flags=re.DOTALL)
        yield Token(found, column, kind == "quoted")
    yield Token("", len(text) + 1)
