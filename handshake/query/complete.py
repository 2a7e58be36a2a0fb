"""Completes the filter that is typed: keys, values, words to search for, operators."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from handshake.query.compare import ORDER
from handshake.query.keys import COLUMNS, KEYS, SHORT, find_key

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN: Final = re.compile(r"""[(){},]|[=!<>~&|]+|[^\s(){},"'=!<>~&|]+""")
_LAST: Final = re.compile(r"""[^\s(){},"'=!<>~&|]*\Z""")

_COMPARING: Final = (*ORDER, "~", "contains")

_OPENING: Final = ("", "(", "and", "or", "not", "!", "&&", "||")
"""What stands before a key."""

_BOOLEANS: Final = ("true", "false")


def complete(text: str) -> tuple[str, Sequence[str]]:
    """Return the word at the end of a filter, and what it may become, the likeliest first."""
    found = _LAST.search(text)
    assert found is not None
    word = found.group()
    before = _TOKEN.findall(text[: found.start()])
    return word, [each for each in _possible(before) if each.startswith(word.casefold())]


def _possible(before: list[str]) -> Sequence[str]:
    """Return what may follow these tokens."""
    last = before[-1] if before else ""
    if last in _COMPARING:
        return _values(before[-2] if len(before) > 1 else "")
    if last in ("{", ",", "in"):
        return _values(_set_of(before))
    if last in _OPENING:
        return list(dict.fromkeys([*COLUMNS, *_searchable(), *SHORT, *KEYS]))
    key = find_key(last)
    if key is not None and (len(before) < 2 or before[-2] in _OPENING):
        return ("==", "!=", "in", "contains", *(() if key.words else ("<", ">")), "and", "or")
    return ("and", "or")


def _values(name: str) -> Sequence[str]:
    key = find_key(name)
    if key is None:
        return ()
    return key.words or (_BOOLEANS if key.kind is bool else ())


def _set_of(before: list[str]) -> str:
    """Return the key whose set of values is being written."""
    at = len(before) - 1
    while at > 0 and before[at] != "in":
        at -= 1
    name = before[at - 1] if at else ""
    return before[at - 2] if name == "not" and at > 1 else name


def _searchable() -> list[str]:
    """Return the words that a search finds as a whole."""
    names = ("outcome", "closed", "diagnosis.code", "findings.code")
    return [each for name in names for each in KEYS[name].words]
