"""Records as CSV: a row each under a row of names, one column for each of the record's keys."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

from handshake.query import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.record import Record

BETWEEN: Final = ";"
"""Between the values of a key that holds a list."""


def rows(records: Iterable[Record]) -> Iterator[str]:
    """Yield the row of names, then one for each record: lines without their ends.

    What is not known is empty; `true` and `false` are written as JSON does.
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
    """A file that knows only the last thing written to it."""

    text = ""

    def write(self, text: str) -> None:
        self.text = text


def _cell(value: Any) -> str | float | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return BETWEEN.join("" if each is None else str(_cell(each)) for each in value)
    assert isinstance(value, str | int | float)
    return value
