"""The list of connections as a table that fits the screen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

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

_SERVER: Final = 16
"""Room for most servers on a screen that is too narrow for the client, too."""

_CUT: Final = 8
"""The least room for reasons there."""


class _Shape(NamedTuple):
    """What a row has besides number, mark and server."""

    outcome: bool
    client: bool
    columns: list[Column]


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
        """The widths that the endpoints need; a few long ones are cut rather than all reasons."""
        client = _usual_width([endpoint(each.client) for each in self.records])
        server = _usual_width([endpoint(each.server) for each in self.records])
        return max(client, len("client")), max(server, len("server"))

    @cached_property
    def _reasons(self) -> int:
        """The width that the reasons need."""
        return max((len(columns.why(each)) for each in self.records), default=0)

    @cached_property
    def _outcome(self) -> Column:
        """The column before the endpoints."""
        return Column("outcome", OUTCOME, lambda record: record.outcome, right=False)

    def _mark(self, record: Record) -> tuple[str, str]:
        """Return the sign of a connection, and its style."""
        return columns.mark(record, self.glyphs), columns.style(record)

    @cached_property
    def _shape(self) -> _Shape:
        """How much of a row has room: what went wrong, and how long it took, matter most."""
        usual = _Shape(outcome=True, client=True, columns=self._columns())
        shown = {each.title.strip() for each in usual.columns}
        # Of several captures the name says more than the reason, which the preview tells.
        why = () if not self._reasons or self._always() else ("why",)
        if shown >= {self._usual()[0].title, *why}:
            return usual
        least = self._least(1 + self._outcome.width)
        if least is not None:
            return _Shape(outcome=True, client=False, columns=least)
        # The mark tells the outcome, and so does the reason.
        least = self._least(0, columns.why_or_outcome)
        return usual if least is None else _Shape(outcome=False, client=False, columns=least)

    def _left(self, outcome: int) -> int:
        """Return the columns right of the outcome, with the space before each."""
        return max(0, self.width - 1 - self._number - 3 - outcome)

    @cached_property
    def _room(self) -> int:
        """Columns for the endpoints and all to their right, with spaces."""
        return self._left(1 + self._outcome.width)

    def _least(
        self, outcome: int, why: Callable[[Record], str] = columns.why
    ) -> list[Column] | None:
        """Return the first column and the reason, if they fit beside the server; else None."""
        first = self._usual()[0]
        longest = max((len(why(each)) for each in self.records), default=0)
        room = self._left(outcome) - first.width
        short = min(longest, _REASONS)
        server = min(self._needed[1], max(_SERVER, room - 1 - short))
        needed = 1 + (short if outcome else min(short, _CUT))
        if not outcome:
            server = max(min(server, room - needed), min(server, _LEAST))
        spare = room - server
        if spare < needed:
            return None
        return [first, Column("why", spare, why, right=False)] if longest else [first]

    def _columns(self) -> list[Column]:
        """Return the columns that fit beside both endpoints; those take precedence."""
        client, server = self._needed
        longest = self._reasons
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
        """The widths of the endpoints on the screen; the client's is 0 if it has no room."""
        shape, (client, server) = self._shape, self._needed
        if not shape.client:
            room = self._left(1 + self._outcome.width if shape.outcome else 0)
            return 0, room - _total(shape.columns)
        room = max(2, self._room - _total(shape.columns) - 1)
        if client + server > room:
            # The server in full if both have room; else half of it each.
            half = room // 2
            server = min(server, max(half, room - max(client, 0), min(COMFORT, room - _LEAST)))
            client = min(client, room - server)
        return client, room - client

    def heading(self) -> Text:
        """Return the column headings."""
        shape, outcome, (client, server) = self._shape, self._outcome, self._endpoints
        heading = f"{'#':>{1 + self._number}}   "
        heading += f"{outcome.title:<{outcome.width}} " if shape.outcome else ""
        heading += f"{'client':<{client}} " if shape.client else ""
        heading += f"{'server':<{server}}"
        heading += "".join(_cell(each, each.title, self.glyphs) for each in shape.columns)
        return line((fit(heading, self.width, self.glyphs.ellipsis), "dim"))

    def heading_at(self, x: int) -> str | None:
        """Return the heading in a column of the screen, from 0; None if none is there."""
        heading = self.heading().plain
        return next((each.group() for each in _WORD.finditer(heading) if x <= each.end()), None)

    def row(self, record: Record, *, selected: bool = False) -> Text:
        """Return the row of a connection."""
        signs, shape = self.glyphs, self._shape
        mark, role = self._mark(record)
        client, server = self._endpoints
        outcome = ""
        if shape.outcome:
            told = self._outcome
            outcome = f"{fit(told.text(record), told.width, signs.ellipsis)} "
        row = line(
            (">" if selected else " ", "why"),
            (f"{record.stream + 1:>{self._number}} ", "dim"),
            (f"{mark} {outcome}", role),
        )
        if shape.client:
            name = columns.shorten(endpoint(record.client), client, signs.ellipsis)
            row.append(f"{name:<{client}} ")
        row.append(f"{columns.shorten(endpoint(record.server), server, signs.ellipsis):<{server}}")
        for each in shape.columns:
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


def _usual_width(texts: Sequence[str]) -> int:
    """Return the width of the longest of texts, without the longest fiftieth."""
    lengths = sorted(map(len, texts))
    return lengths[-1 - len(lengths) // 50] if lengths else 0


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
