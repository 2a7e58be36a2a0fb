"""The list of connections as a table that fits the screen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
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
"""The least room for reasons, and for a client beside them."""

_WORD: Final = re.compile(r"\S+")

_REASONS: Final = 18
"""Room for most reasons."""


@dataclass(frozen=True)
class Table:
    """Rows exactly as wide as the screen; columns that do not fit are omitted."""

    records: Sequence[Record]
    """All records: the columns must suit every row."""

    width: int
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
        return max(0, self.width - 1 - self._number - 3 - self._outcome.width - 1)

    @cached_property
    def _outcome(self) -> Column:
        """The column before the endpoints."""
        return Column("outcome", OUTCOME, lambda record: record.outcome, right=False)

    def _mark(self, record: Record) -> tuple[str, str]:
        """Return the sign of a connection, and its style."""
        return columns.mark(record, self.glyphs), columns.style(record)

    @cached_property
    def _columns(self) -> list[Column]:
        """Return the columns that fit; the endpoints take precedence."""
        client, server = self._needed
        longest = max((len(columns.why(each)) for each in self.records), default=0)
        always, usual = self._always(), self._usual()
        ends = min(client, COMFORT) + min(server, COMFORT) + 1
        found: list[Column] = []
        for column in (usual.pop(0), *always):
            if self._room - _total(found) - column.width >= ends:
                found.append(column)
        # What went wrong matters more than how much was sent, and when.
        why = 0
        if longest:
            spare = self._room - _total(found) - ends - 2
            short = min(longest, _LEAST)
            if spare < short:
                # The client may be cut for it.
                less = max(0, min(client, COMFORT) - _LEAST)
                ends, spare = ends - less, spare + less
            why = 2 + min(longest, _REASONS, spare) if spare >= short else 0
        for column in usual:
            if self._room - _total(found) - column.width >= ends + why:
                found.append(column)
        # Text columns come first, next to the endpoints.
        found.sort(key=lambda column: column.right)
        # These matter less than full addresses and reasons.
        for column in self._seldom():
            all_else = client + server + 1 + (2 + longest if longest else 0)
            if self._room - _total(found) - column.width >= all_else:
                found.append(column)
        if why:
            spare = self._room - _total(found) - client - server - 1
            found.append(Column(" why", max(why, spare), columns.why, right=False))
        return found

    def _usual(self) -> list[Column]:
        """Return the usual columns, the most important first."""
        all_of = self.records
        return [
            fitting("rtt", columns.rtt, max(all_of, key=_seconds, default=None)),
            fitting("retry", columns.retries, max(all_of, key=_retries, default=None)),
            fitting("packets", columns.packets, max(all_of, key=_segments, default=None)),
            fitting("time", columns.time, max(all_of, key=_time, default=None)),
        ]

    def _seldom(self) -> list[Column]:
        """Return columns that matter least."""
        return [
            Column(" closed", 15, columns.closed, right=False),
            Column("resent", 7, columns.retransmissions),
        ]

    def _always(self) -> list[Column]:
        """Return what takes precedence over what went wrong: the capture if there are several."""
        captures = {each.capture for each in self.records}
        if len(captures) < 2:
            return []
        longest = max(len(columns.file_name(each)) for each in captures)
        width = 2 + min(max(longest, len("capture")), _CAPTURE)
        return [Column(" capture", width, columns.capture, right=False)]

    @cached_property
    def _endpoints(self) -> tuple[int, int]:
        """The widths of the endpoints on the screen."""
        room = max(2, self._room - _total(self._columns) - 1)
        client, server = self._needed
        if client + server > room:
            # The server in full if both have room; else half of it each.
            half = room // 2
            server = min(server, max(half, room - max(client, 0), min(COMFORT, room - _LEAST)))
            client = min(client, room - server)
        return client, room - client

    def heading(self) -> Text:
        """Return the column headings."""
        client, server = self._endpoints
        outcome = self._outcome
        heading = f"{'#':>{1 + self._number}}   {outcome.title:<{outcome.width}} "
        heading += f"{'client':<{client}} {'server':<{server}}"
        heading += "".join(_cell(each, each.title, self.glyphs) for each in self._columns)
        return line((fit(heading, self.width, self.glyphs.ellipsis), "dim"))

    def heading_at(self, x: int) -> str | None:
        """Return the heading in a column of the screen, from 0; None if none is there."""
        heading = self.heading().plain
        return next((each.group() for each in _WORD.finditer(heading) if x <= each.end()), None)

    def row(self, record: Record, *, selected: bool = False) -> Text:
        """Return the row of a connection."""
        signs, outcome = self.glyphs, self._outcome
        mark, role = self._mark(record)
        client, server = self._endpoints
        row = line(
            (">" if selected else " ", "why"),
            (f"{record.stream + 1:>{self._number}} ", "dim"),
            (f"{mark} {fit(outcome.text(record), outcome.width, signs.ellipsis)} ", role),
        )
        row.append(f"{columns.shorten(endpoint(record.client), client, signs.ellipsis):<{client}} ")
        row.append(f"{columns.shorten(endpoint(record.server), server, signs.ellipsis):<{server}}")
        for each in self._columns:
            row.append(_cell(each, each.text(record), signs))
        row.truncate(self.width)
        if selected:
            # A bar, as wide as the screen and of one colour.
            return line((row.plain + " " * (self.width - row.cell_len), "chosen"))
        return row


def fitting(title: str, text: Callable[[Record], str], longest: Record | None) -> Column:
    """Return a column that is as wide as its title and its longest text."""
    room = max(len(title), 0 if longest is None else len(text(longest)))
    return Column(title, 1 + room, text)


def _seconds(record: Record) -> float:
    return record.handshake.rtt or 0


def _retries(record: Record) -> int:
    return len(columns.retries(record))


def _segments(record: Record) -> int:
    return record.client.segments + record.server.segments


def _time(record: Record) -> float:
    return record.time or 0


def _total(found: Sequence[Column]) -> int:
    return sum(each.width for each in found)


def _cell(column: Column, text: str, glyphs: Glyphs) -> str:
    room = column.width - 1
    text = text or (glyphs.dash if column.title == "rtt" else "")
    text = fit(text, room, glyphs.ellipsis) if len(text) > room or not column.right else text
    return f" {text:>{room}}"
