"""The list of connections: a table that fits the screen, or plain lines for a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.escape import printable
from handshake.view import columns
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line
from handshake.view.notation import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.text import Text

    from handshake.record import Record

_OUTCOME: Final = 11
"""The longest outcome."""

_COMFORT: Final = 21
"""The longest IPv4 address with port: the least room of an endpoint before others get any."""

_CAPTURE: Final = 22

_DIAGNOSIS: Final = 20
"""The room for all but the longest codes of a diagnosis."""

_LEAST: Final = 14
"""The least room for a column of findings."""


class Column(NamedTuple):
    """A column to the right of the endpoints."""

    title: str
    width: int
    """Including the space before it."""

    text: Callable[[Record], str]
    right: bool = True


@dataclass(frozen=True)
class Table:
    """Rows exactly as wide as the screen; columns that do not fit are omitted."""

    records: Sequence[Record]
    """All records: the columns must suit every row."""

    width: int
    origin: int = 0
    """The time that `start` counts from, in nanoseconds."""

    glyphs: Glyphs = UNICODE

    @cached_property
    def _number(self) -> int:
        return max(3, len(str(max((each.stream for each in self.records), default=0) + 1)))

    @cached_property
    def _needed(self) -> tuple[int, int]:
        """The widths that the endpoints need."""
        client = max((len(endpoint(each.client)) for each in self.records), default=0)
        server = max((len(endpoint(each.server)) for each in self.records), default=0)
        return max(client, len("client")), max(server, len("server"))

    @cached_property
    def _room(self) -> int:
        """Columns for the endpoints and all to their right, with spaces."""
        return max(0, self.width - 1 - self._number - 3 - _OUTCOME - 1)

    @cached_property
    def _columns(self) -> list[Column]:
        """Return the columns that fit; the endpoints take precedence."""
        client, server = self._needed
        comfort = min(client, _COMFORT) + min(server, _COMFORT) + 1
        found: list[Column] = []
        for column in self._usual():
            if self._room - _total(found) - column.width >= comfort:
                found.append(column)
        # Text columns come first, next to the endpoints.
        found.sort(key=lambda column: column.right)
        # These matter less than full addresses.
        for column in (
            Column(" closed", 15, columns.closed, right=False),
            Column("resent", 7, columns.retransmissions),
        ):
            if self._room - _total(found) - column.width >= client + server + 1:
                found.append(column)
        spare = self._room - _total(found) - client - server - 1
        if spare >= _LEAST:
            told = columns.diagnosis_and_findings
            found.append(Column(" diagnosis, findings", spare, told, right=False))
        return found

    def _usual(self) -> list[Column]:
        """Return the usual columns, the most important first."""
        all_of, start = self.records, partial(columns.start, origin=self.origin)
        found = [
            _fitting("rtt ms", columns.rtt, max(all_of, key=_seconds, default=None)),
            _fitting("retry", columns.retries, max(all_of, key=_retries, default=None)),
            _fitting("pkts", columns.packets, max(all_of, key=_segments, default=None)),
            _fitting("start s", start, max(all_of, key=_start, default=None)),
        ]
        captures = {each.capture for each in all_of}
        if len(captures) > 1:
            longest = max(len(columns.file_name(each)) for each in captures)
            width = 2 + min(max(longest, len("capture")), _CAPTURE)
            found.insert(2, Column(" capture", width, columns.capture, right=False))
        return found

    @cached_property
    def _endpoints(self) -> tuple[int, int]:
        """The widths of the endpoints on the screen."""
        room = max(2, self._room - _total(self._columns) - 1)
        client, server = self._needed
        if client + server > room:
            # Half of the room each; what one does not need goes to the other.
            half = room // 2
            client = min(client, max(half, room - server))
        return client, room - client

    def heading(self) -> Text:
        """Return the column headings."""
        client, server = self._endpoints
        heading = f"{'#':>{1 + self._number}}   {'outcome':<{_OUTCOME}} "
        heading += f"{'client':<{client}} {'server':<{server}}"
        heading += "".join(_cell(each, each.title, self.glyphs) for each in self._columns)
        return line((fit(heading, self.width, self.glyphs.ellipsis), "dim"))

    def row(self, record: Record, *, selected: bool = False) -> Text:
        """Return the row of a connection."""
        signs, role = self.glyphs, columns.style(record)
        client, server = self._endpoints
        row = line(
            (">" if selected else " ", "why"),
            (f"{record.stream + 1:>{self._number}} ", "dim"),
            (f"{columns.mark(record, signs)} {columns.outcome(record):<{_OUTCOME}} ", role),
        )
        row.append(f"{columns.shorten(endpoint(record.client), client, signs.ellipsis):<{client}} ")
        row.append(f"{columns.shorten(endpoint(record.server), server, signs.ellipsis):<{server}}")
        for each in self._columns:
            row.append(_cell(each, each.text(record), signs))
        row.truncate(self.width)
        if selected:
            row.stylize("title")
        return row


def _fitting(title: str, text: Callable[[Record], str], longest: Record | None) -> Column:
    """Return a column that is as wide as its title and its longest text."""
    room = max(len(title), 0 if longest is None else len(text(longest)))
    return Column(title, 1 + room, text)


def _seconds(record: Record) -> float:
    return record.handshake.rtt or 0


def _retries(record: Record) -> int:
    return len(columns.retries(record))


def _segments(record: Record) -> int:
    return record.client.segments + record.server.segments


def _start(record: Record) -> str:
    return record.start


def _total(found: Sequence[Column]) -> int:
    return sum(each.width for each in found)


def _cell(column: Column, text: str, glyphs: Glyphs) -> str:
    room = column.width - 1
    text = text or (glyphs.dash if column.title == "rtt ms" else "")
    text = fit(text, room, glyphs.ellipsis) if len(text) > room or not column.right else text
    return f" {text:>{room}}"


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
            Column("outcome", _OUTCOME, lambda record: record.outcome, right=False),
            Column("client", _COMFORT, lambda record: endpoint(record.client), right=False),
            Column("server", _COMFORT, lambda record: endpoint(record.server), right=False),
            Column("rtt_ms", 8, columns.rtt),
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
