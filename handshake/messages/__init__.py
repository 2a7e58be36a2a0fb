"""Sentences by code: what users read of events, findings, reasons and errors, by language.

Code says what happened by a code and values; the sentence stands in a table of its family, one
TOML file for each language (`en/findings.toml`). A sentence names its values in braces, and how to
write them:

    {count}               as it is
    {rtt:time}            seconds in the unit that reads best: "28.4 ms"
    {count:octets}        "1 octet", "12 octets"
    {count:n,segment}     "1 segment", "3 segments"; {count:n,copy,copies} names the plural
    {names:and}           "a", "a and b", "a, b and c"; {names:or} likewise
    {many:?A|B}           A if the value is true, else B; both may name other values in braces
    {share:.0%}           any format that Python knows

A table may nest: the code `filtered` with the variant `signed` is the entry `filtered.signed`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAMILIES: Final = ("errors", "events", "findings", "reasons")

ENGLISH: Final = "en"


def text(family: str, code: str, values: Mapping[str, object], language: str = ENGLISH) -> str:
    """Return the sentence of a code. Raises KeyError for a code or value that is not there."""
    return _FORMATTER.vformat(table(family, language)[code], (), values)


@cache
def table(family: str, language: str = ENGLISH) -> dict[str, str]:
    """Return the sentences of a family by code; variants stand behind a dot."""
    octets = (files(__name__) / language / f"{family}.toml").read_bytes()
    return dict(_flat(tomllib.loads(octets.decode()), ""))


def load() -> None:
    """Read all tables now: a program that gives up its privileges may not be able to later."""
    for family in FAMILIES:
        table(family)


def time(seconds: float) -> str:
    """Return a time in the unit that reads best: `0.0205 ms`, `28.4 ms`, `1.02 s`."""
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def number(count: int, singular: str, plural: str = "") -> str:
    """Return a count and its noun: `1 segment`, `2 segments`."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def listed(items: Iterable[object], conjunction: str) -> str:
    """Return items as a sentence lists them: `a, b and c`; nothing for none."""
    *most, last = list(map(str, items)) or [""]
    return f"{', '.join(most)} {conjunction} {last}" if most else last


class _Formatter(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        """Write a value as its format says; Python's own formats stand last."""
        match format_spec.split(",")[0]:
            case "time":
                return time(value)
            case "octets":
                return number(value, "octet")
            case "n":
                return number(value, *format_spec.split(",")[1:])
            case "and" | "or" as conjunction:
                return listed(value, conjunction)
        if format_spec.startswith("?"):
            true, _, false = format_spec[1:].partition("|")
            return true if value else false
        return str(super().format_field(value, format_spec))


_FORMATTER: Final = _Formatter()


def _flat(found: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from _flat(value, f"{prefix}{key}.")
