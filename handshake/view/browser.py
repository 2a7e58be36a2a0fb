"""The screen of `handshake list`: the rows, and below them the selected connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Group

from handshake.query.problems import is_wrong
from handshake.record import nanoseconds
from handshake.view.columns import capture
from handshake.view.diagnosis import diagnosis_lines
from handshake.view.key_line import key_line
from handshake.view.ladder import Ladder
from handshake.view.layout import fit, line, paragraph, wrap
from handshake.view.notation import Numbers
from handshake.view.replay import ends
from handshake.view.salient import salient
from handshake.view.step import rule
from handshake.view.totals_page import summary_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from handshake.events import Step
    from handshake.query.totals import OutcomeTotals
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs
    from handshake.view.prompt import Prompt
    from handshake.view.strip import Strip
    from handshake.view.table import Table

_HEAD: Final = 2
"""Lines above the rows besides filter and order: title, headings."""

_FOOT: Final = 3
"""Lines below all else: a rule, totals, keys."""

_PREVIEW: Final = 9
"""The fewest lines for the selected connection."""

_SPARE: Final = 3
"""So many lines that rows leave empty are used for it on any screen."""

_FEWEST: Final = 4
"""With fewer rows the selected connection is not shown."""

_LADDER: Final = 5
"""The fewest lines for its ladder, before its findings."""


@dataclass(frozen=True)
class Preview:
    """Details of the selected connection."""

    steps: Sequence[Step] = ()
    """Its steps; none until they are read."""

    problem: str = ""
    """Why the steps cannot be read."""

    whole: bool = True
    """Whether these are all of its steps."""


@dataclass(frozen=True)
class Browser:
    """The list on a screen of a given size."""

    table: Table
    """How rows look."""

    rows: Sequence[Record]
    """The connections that are listed, in order."""

    selected: int
    totals: OutcomeTotals
    title: str
    """What is listed."""

    state: str
    """How the list is filtered and sorted."""

    keys: Sequence[str]
    """The keys and what they do, the most important first; the last two are always shown."""

    preview: Preview
    aside: str = ""
    """What is said of the selected connection before its findings."""

    captures: int = 1
    """How many captures are listed."""

    problem: str = ""
    """What is wrong with what was typed, or cannot be done."""

    strip: Strip | None = None
    """The failures along the time."""

    prompt: Prompt | None = None
    """What is typed; None if nothing is."""

    @property
    def heading_line(self) -> int:
        """The line of the headings, from 0."""
        return self._head - 1

    @property
    def _head(self) -> int:
        """Lines above the rows."""
        return _HEAD + len(self._states)

    @cached_property
    def _states(self) -> list[str]:
        """The filter in force and the order, in two lines if it is long."""
        width = self.table.width
        found = [self.state] if cell_len(self.state) < width else wrap(self.state, width - 2)
        return [found[0], *([" ".join(found[1:])] if found[1:] else [])]

    def page(self, height: int) -> int:
        """Return how many rows there are on a screen of this height."""
        return len(self._shown(height))

    def row_at(self, y: int, height: int) -> int | None:
        """Return which row stands in a line of the screen, from 0; None if none does."""
        at, shown = y - self._head, self._shown(height)
        return shown[at] if 0 <= at < len(shown) else None

    def _room(self, height: int) -> int:
        """Return the lines for rows and preview."""
        return max(1, height - self._head - _FOOT - self._has_strip(height))

    def _has_strip(self, height: int) -> bool:
        return self.strip is not None and height >= self._head + _FOOT + _PREVIEW + _FEWEST

    def _has_preview(self, height: int) -> bool:
        room = self._room(height)
        return room >= _PREVIEW + _FEWEST or room - len(self.rows) >= _SPARE

    def _shown(self, height: int) -> range:
        """Return the indexes of the records whose rows are on the screen."""
        return self._divided(height)[0]

    def _divided(self, height: int) -> tuple[range, list[Text]]:
        """Return which rows are shown, and the lines of the selected connection below them."""
        if height not in self._divisions:
            self._divisions[height] = self._divide(height)
        return self._divisions[height]

    @cached_property
    def _divisions(self) -> dict[int, tuple[range, list[Text]]]:
        return {}

    def _divide(self, height: int) -> tuple[range, list[Text]]:
        room, count = self._room(height), len(self.rows)
        rows = room
        if room >= _PREVIEW + _FEWEST:
            # A tall screen has more room for both.
            rows = max(_FEWEST, min(room - _PREVIEW, room * 2 // 5))
        rows = min(count, rows)
        first = max(0, min(self.selected - rows // 2, count - rows))
        below: list[Text] = []
        if self._has_preview(height) and count:
            chosen, left = self.rows[self.selected], room - rows
            below = self._preview(chosen, self.table.width, left)[:left]
            # What it leaves empty is for more rows; its segments may still be to come.
            ladder = 1 + chosen.client.segments + chosen.server.segments
            unread = 0 if self.preview.steps or self.preview.problem else ladder
            rows = min(count, rows + max(0, left - len(below) - unread))
            first = min(first, count - rows)
        return range(first, first + rows), below

    def draw(self, height: int) -> Group:
        """Return the screen: exactly `height` lines as wide as the table."""
        width, glyphs, records = self.table.width, self.table.glyphs, self.rows
        lines = [
            line((fit(f" {_whole(self.title, width - 1)}", width, glyphs.ellipsis), "title")),
            *(line(fit(f" {each}", width, glyphs.ellipsis)) for each in self._states),
            self.table.heading(),
            *(
                self.table.row(records[at], selected=at == self.selected)
                for at in self._shown(height)
            ),
        ]
        foot = self._foot(width, height)
        room = max(0, height - len(foot))
        below, left = self._divided(height)[1], max(0, room - len(lines))
        if len(below) > left:  # what is typed, or told, takes more lines
            below = self._preview(records[self.selected], width, left)[:left]
        lines += below
        lines = lines[:room] + [line()] * (room - len(lines))
        lines += foot
        for each in lines:
            each.truncate(width)
        return Group(*(lines[:height] if height >= len(foot) else lines[-height:]))

    def _foot(self, width: int, height: int) -> list[Text]:
        glyphs = self.table.glyphs
        foot = [line((glyphs.rule(width), "rule"))]
        if self._has_strip(height) and self.strip is not None:
            here = nanoseconds(self.rows[self.selected].start) if self.rows else None
            foot.append(self.strip.draw(width, here, glyphs))
        if self.problem:
            # It says what is wrong and what to write instead: it takes the room it needs.
            foot += paragraph(self.problem, width, "bad")
        elif self.prompt is None or not self.prompt.choices:
            foot.append(summary_line(self.totals, width))
        if self.prompt is not None:
            return [*foot, *self.prompt.lines(width, glyphs)]
        return [*foot, key_line(self.keys, width, glyphs)]

    def _preview(self, record: Record, width: int, height: int) -> list[Text]:
        glyphs = self.table.glyphs
        first, last = record.frames
        name = ends(record, glyphs)
        frames = glyphs.say("list.packets", first=first, last=last)
        if self.captures > 1:
            frames = f"{capture(record)} {frames}"
        where = f"{frames} {glyphs.dot} tcp.stream == {record.stream}"
        fits = (each for each in (where, frames) if cell_len(name + each) < width - 6)
        if beside := next(fits, None):
            lines = [rule(f"{name}  {beside}", width, glyphs)]
        else:
            # Long addresses get lines of their own, where they are shown in full.
            lines = [rule(where, width, glyphs)]
            lines += [line((f" {each}", "title")) for each in wrap(name, max(12, width - 2))]
        if self.preview.problem:
            return [*lines, *paragraph(self.preview.problem, width, "warn")]
        found = paragraph(self.aside, width, "why") if self.aside else []
        found += _findings(record, width, glyphs)
        count = record.client.segments + record.server.segments
        spare = height - len(lines)
        room = max(1, spare) if spare < _LADDER else max(1, spare - min(_LADDER, 1 + count))
        if len(found) > room:
            del found[room:]
            found[-1].truncate(width - 1 - cell_len(glyphs.ellipsis))
            found[-1].append(f" {glyphs.ellipsis}")
        if height - len(lines) < _LADDER and found:
            return [*lines, *found]
        if steps := self.preview.steps:
            room = max(2, height - len(lines) - len(found))
            only = salient(steps, record, room - 1)
            numbers = Numbers.of(steps)
            ladder = Ladder(steps, numbers, glyphs=glyphs, gaps=len(only) < room - 2, only=only)
            rows = ladder.lines(width)[:room]
            if not self.preview.whole and len(rows) < room:
                more = glyphs.say("list.more", count=count - len(steps))
                rows.append(line((f"{'':10}{more}", "dim")))
            lines += rows
        return [*lines, *found]


def _whole(text: str, width: int) -> str:
    """Return as many of the parts of an enumeration as have room."""
    while cell_len(text) > width and ", " in text:
        text = text.rpartition(", ")[0]
    return text


def _findings(record: Record, width: int, glyphs: Glyphs) -> list[Text]:
    """Return the diagnosis, then the findings, problems first."""
    found = [] if record.diagnosis is None else diagnosis_lines(record.diagnosis, width, glyphs)
    for each in sorted(record.findings, key=lambda each: not is_wrong(each)):
        mark = ("!", "warn") if is_wrong(each) else " "
        first, *rest = wrap(each.said(glyphs.language), max(12, width - 4))
        found.append(line(" ", mark, f" {first}"))
        found += [line(f"   {more}") for more in rest]
    return found
