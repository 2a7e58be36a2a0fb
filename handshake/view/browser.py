"""The screen of `handshake list`: the rows, and below them the selected connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group

from handshake.query.problems import is_wrong
from handshake.view.columns import capture
from handshake.view.diagnosis import diagnosis_lines
from handshake.view.ladder import Ladder
from handshake.view.layout import fit, line, wrap
from handshake.view.notation import Numbers
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
"""Lines around the rows: title, heading, rules, totals, keys."""

_PREVIEW: Final = 9
"""The fewest lines for the selected connection."""

_FEWEST: Final = 5
"""With fewer rows the selected connection is not shown."""

_NARROWEST: Final = 12
"""The fewest columns for text: on a narrower screen it is cut off."""

_LADDER: Final = 5
"""The fewest lines for its ladder, before its findings."""

PREVIEWED: Final = 30
"""The most steps of a connection on a screen."""


@dataclass(frozen=True)
class Preview:
    """Details of the selected connection."""

    steps: Sequence[Step] = ()
    """Its first steps; none until they are read."""

    problem: str = ""
    """Why the steps cannot be read."""


@dataclass(frozen=True)
class Browser:
    """The list on a screen of a given size."""

    table: Table
    selected: int
    totals: Totals
    title: str
    """What is listed."""

    state: str
    """How the list is sorted and filtered."""

    keys: str
    preview: Preview
    captures: int = 1
    """How many captures are listed."""

    problem: str = ""
    """What is wrong with the filter that was typed."""

    def draw(self, height: int) -> Group:
        """Return the screen: exactly `height` lines as wide as the table."""
        width, glyphs, records = self.table.width, self.table.glyphs, self.table.records
        room = max(1, height - _AROUND)
        rows = min(len(records), room - _PREVIEW) if room >= _PREVIEW + _FEWEST else room
        first = max(0, min(self.selected - rows // 2, len(records) - rows))
        shown = range(first, min(first + rows, len(records)))
        lines = [
            self._title(width, glyphs),
            self.table.heading(),
            line((glyphs.rule(width), "rule")),
            *(self.table.row(records[at], selected=at == self.selected) for at in shown),
        ]
        if room >= _PREVIEW + _FEWEST and records:
            left = height - 3 - len(lines)
            lines += self._preview(records[self.selected], width, left)[:left]
        foot = [summary_line(self.totals, width)]
        if self.problem:
            # It says what is wrong and what to write instead: it takes the room it needs.
            foot = _problem(self.problem, width, "bad")
        room = max(0, height - 2 - len(foot))
        lines = lines[:room] + [line()] * (room - len(lines))
        lines += [line((glyphs.rule(width), "rule")), *foot]
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
        name = ends(record, glyphs)
        frames = f"packets {first}-{last}"
        if self.captures > 1:
            frames = f"{capture(record)} {frames}"
        where = f"{frames} {glyphs.dot} tcp.stream == {record.stream}"
        fitting = (f"{name}  {each}" for each in (where, frames) if len(name + each) < width - 6)
        if heading := next(fitting, None):
            lines = [rule(heading, width, glyphs)]
        else:
            # Long addresses get lines of their own, where they are shown in full.
            lines = [rule(where, width, glyphs)]
            lines += [
                line((f" {each}", "title")) for each in wrap(name, max(_NARROWEST, width - 2))
            ]
        if self.preview.problem:
            return [*lines, *_problem(self.preview.problem, width, "warn")]
        found = _findings(record, width)
        count = record.client.segments + record.server.segments
        room = max(1, height - len(lines) - min(_LADDER, 1 + count))
        if len(found) > room:
            found[room - 1 :] = [line(f"   {glyphs.ellipsis}")]
        steps = self.preview.steps
        if steps:
            ladder = Ladder(steps, Numbers.of(steps), glyphs=glyphs).lines(width)
            room = max(2, height - len(lines) - len(found))
            if count > room - 1:
                hidden = count - (room - 2)
                ladder = [*ladder[: room - 1], line((f"{'':10}{hidden} more", "dim"))]
            lines += ladder
        return [*lines, *found]


def _problem(text: str, width: int, style: str) -> list[Text]:
    return [line((f" {each}", style)) for each in wrap(text, max(_NARROWEST, width - 2))]


def _findings(record: Record, width: int) -> list[Text]:
    """Return the diagnosis, then the findings, problems first."""
    found = [] if record.diagnosis is None else diagnosis_lines(record.diagnosis, width)
    for each in sorted(record.findings, key=lambda each: not is_wrong(each)):
        mark = ("!", "warn") if is_wrong(each) else " "
        first, *rest = wrap(each.text, max(_NARROWEST, width - 4))
        found.append(line(" ", mark, f" {first}"))
        found += [line(f"   {more}") for more in rest]
    return found
