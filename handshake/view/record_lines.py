"""The list of connections as plain lines for a pipe, made without rich."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.escape import printable
from handshake.view import columns
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.notation import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handshake.record import Record

OUTCOME: Final = 11
"""The longest outcome."""

COMFORT: Final = 21
"""The longest IPv4 address with port: the least room of an endpoint before others get any."""

_DIAGNOSIS: Final = 20
"""The room for all but the longest codes of a diagnosis."""


class Column(NamedTuple):
    """A column to the right of the endpoints."""

    title: str
    width: int
    """Including the space before it."""

    text: Callable[[Record], str]
    right: bool = True


class RecordLines:
    """One line of text a record, for pipes: nothing is cut, and all columns are present.

    A column grows with its content, so that each line can be printed at once.
    """

    def __init__(self, *, capture: int = 0, glyphs: Glyphs = UNICODE) -> None:
        """Include a column of `capture` characters for the capture, or none."""
        self._columns = [
            Column("start", 27, lambda record: f"{record.start[:26]}Z", right=False),
            *([Column("capture", capture, _capture, right=False)] if capture else []),
            Column("#", 4, lambda record: str(record.stream + 1)),
            Column("ok", 2, partial(columns.mark, glyphs=glyphs), right=False),
            Column("outcome", OUTCOME, lambda record: record.outcome, right=False),
            Column("client", COMFORT, lambda record: endpoint(record.client), right=False),
            Column("server", COMFORT, lambda record: endpoint(record.server), right=False),
            Column("rtt", 8, columns.rtt),
            Column("retry", 6, columns.retries, right=False),
            Column("resent", 6, columns.retransmissions),
            Column("packets", 7, columns.packets),
            Column("octets", 8, columns.octets),
            Column("closed", 13, columns.closed, right=False),
            Column("diagnosis", _DIAGNOSIS, columns.diagnosis, right=False),
            Column("findings", 0, columns.findings, right=False),
        ]
        self._widths = [each.width for each in self._columns]

    def heading(self) -> str:
        """Return the column headings."""
        return self._line([each.title for each in self._columns])

    def row(self, record: Record) -> str:
        """Return the line of a connection; no column is empty, so that awk can count them."""
        return self._line(
            [
                each.text(record).replace(", ", ",").replace(" ", ",") or "-"
                for each in self._columns
            ]
        )

    def _line(self, texts: Sequence[str]) -> str:
        self._widths = [max(pair) for pair in zip(self._widths, map(len, texts), strict=True)]
        cells = zip(self._columns, self._widths, texts, strict=True)
        return " ".join(
            f"{text:>{width}}" if column.right else f"{text:<{width}}"
            for column, width, text in cells
        ).rstrip()


def _capture(record: Record) -> str:
    return printable(record.capture or "")
