"""Records as CSV: a header row, then a row per record, a column per key."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

from handshake.escape import printable_lines
from handshake.query.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.record import Record

SEPARATOR: Final = ";"
"""Separates the values of a list."""


def rows(records: Iterable[Record]) -> Iterator[str]:
    """Yield the header row, then a row per record, without line ends.

    Unknown values are empty; `true` and `false` are written as in JSON. What cannot be printed is
    escaped but for line feeds; all else stays, since a cell is data.
    """
    line = _Line()
    writer = csv.writer(line, lineterminator="")
    writer.writerow(KEYS)
    yield line.text
    getters = [key.get for key in KEYS.values()]
    for record in records:
        writer.writerow([_cell(get(record)) for get in getters])
        yield line.text


class _Line:
    """A file that keeps only the last text written to it."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _cell(value: Any) -> str | float | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return SEPARATOR.join("" if each is None else str(_cell(each)) for each in value)
    assert isinstance(value, str | int | float)
    return printable_lines(value) if isinstance(value, str) else value
