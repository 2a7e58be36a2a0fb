"""The screen of a list: the rows, and below them the connection that is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group

from handshake.query.problems import is_wrong
from handshake.view.columns import capture
from handshake.view.ladder import Ladder
from handshake.view.layout import fit, line, wrap
from handshake.view.numbers import Numbers
from handshake.view.replay import ends
from handshake.view.step import rule
from handshake.view.totals_page import summary_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from handshake.events import Step
    from handshake.query.totals import Totals
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs
    from handshake.view.table import Table

_AROUND: Final = 6
"""Lines above and below what is listed: title, names, rules, totals, keys."""

_PREVIEW: Final = 9
"""Lines that the chosen connection has at least."""

_FEWEST: Final = 5
"""Rows below which there is no room for it at all."""

_NARROWEST: Final = 12
"""Columns that words are given even where there are fewer: what does not fit is cut off."""

_LADDER: Final = 5
"""Lines that its ladder has at least, before what there is to say of it."""

PREVIEWED: Final = 30
"""Steps of a connection that a screen shows at most."""


@dataclass(frozen=True)
class Preview:
    """What is known of the chosen connection beyond its row."""

    steps: Sequence[Step] = ()
    """Its first steps; none while they are not read."""

    problem: str = ""
    """Why they cannot be read."""


@dataclass(frozen=True)
class Browser:
    """A list on a screen of a given size."""

    table: Table
    chosen: int
    totals: Totals
    title: str
    """What is listed."""

    state: str
    """How it is sorted and filtered."""

    keys: str
    preview: Preview
    captures: int = 1
    """How many the list is of."""

    problem: str = ""
    """What is wrong with what was typed."""

    def draw(self, height: int) -> Group:
        """Return the screen: exactly `height` lines as wide as the table."""
        width, glyphs, records = self.table.width, self.table.glyphs, self.table.records
        room = max(1, height - _AROUND)
        rows = min(len(records), room - _PREVIEW) if room >= _PREVIEW + _FEWEST else room
        first = max(0, min(self.chosen - rows // 2, len(records) - rows))
        shown = range(first, min(first + rows, len(records)))
        lines = [
            self._title(width, glyphs),
            self.table.heading(),
            line((glyphs.rule(width), "rule")),
            *(self.table.row(records[at], chosen=at == self.chosen) for at in shown),
        ]
        if room >= _PREVIEW + _FEWEST and records:
            left = height - 3 - len(lines)
            lines += self._preview(records[self.chosen], width, left)[:left]
        lines += [line()] * (height - 3 - len(lines))
        foot = (
            line((f" {self.problem}", "bad")) if self.problem else summary_line(self.totals, width)
        )
        lines += [line((glyphs.rule(width), "rule")), foot]
        lines.append(line((fit(f" {self.keys}", width, glyphs.ellipsis), "key")))
        for each in lines:
            each.truncate(width)
        return Group(*lines[:height])

    def _title(self, width: int, glyphs: Glyphs) -> Text:
        room = max(0, width - len(self.state) - 2)
        return line((f"{fit(f' {self.title}', room, glyphs.ellipsis)} ", "title"), f"{self.state} ")

    def _preview(self, record: Record, width: int, height: int) -> list[Text]:
        glyphs = self.table.glyphs
        first, last = record.frames
        who = ends(record, glyphs)
        frames = f"packets {first}-{last}"
        if self.captures > 1:
            frames = f"{capture(record)} {frames}"
        where = f"{frames} {glyphs.dot} tcp.stream == {record.stream}"
        fitting = (f"{who}  {each}" for each in (where, frames) if len(who + each) < width - 6)
        if heading := next(fitting, None):
            lines = [rule(heading, width, glyphs)]
        else:
            # Long addresses have a line of their own: here nothing of them is left out.
            lines = [rule(where, width, glyphs)]
            lines += [line((f" {each}", "title")) for each in wrap(who, max(_NARROWEST, width - 2))]
        if self.preview.problem:
            return [*lines, line((f" {self.preview.problem}", "warn"))]
        found = _findings(record, width)
        room = max(1, height - len(lines) - _LADDER)
        if len(found) > room:
            found[room - 1 :] = [line(f"   {glyphs.ellipsis}")]
        steps = self.preview.steps
        if steps:
            ladder = Ladder(steps, Numbers.of(steps), glyphs=glyphs).lines(width)
            room = max(2, height - len(lines) - len(found))
            count = record.client.segments + record.server.segments
            if count > room - 1:
                hidden = count - (room - 2)
                ladder = [*ladder[: room - 1], line((f"{'':10}{hidden} more", "dim"))]
            lines += ladder
        return [*lines, *found]


def _findings(record: Record, width: int) -> list[Text]:
    """Return what an expert would point at, what is wrong first."""
    found: list[Text] = []
    for each in sorted(record.findings, key=lambda each: not is_wrong(each)):
        mark = ("!", "warn") if is_wrong(each) else " "
        first, *rest = wrap(each.text, max(_NARROWEST, width - 4))
        found.append(line(" ", mark, f" {first}"))
        found += [line(f"   {more}") for more in rest]
    return found
