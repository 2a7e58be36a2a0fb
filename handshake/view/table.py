"""The list of connections as a table that fits the screen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from handshake.view import columns
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line
from handshake.view.notation import endpoint
from handshake.view.record_lines import COMFORT, OUTCOME, Column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.text import Text

    from handshake.record import Record

_CAPTURE: Final = 22

_LEAST: Final = 14
"""The least room for a column of findings."""


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
        return max(0, self.width - 1 - self._number - 3 - OUTCOME - 1)

    @cached_property
    def _columns(self) -> list[Column]:
        """Return the columns that fit; the endpoints take precedence."""
        client, server = self._needed
        comfort = min(client, COMFORT) + min(server, COMFORT) + 1
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
        heading = f"{'#':>{1 + self._number}}   {'outcome':<{OUTCOME}} "
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
            (f"{columns.mark(record, signs)} {columns.outcome(record):<{OUTCOME}} ", role),
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
