"""A connection of a capture: all of it as text, or one step on a screen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.console import Group

from handshake.view.columns import file_name
from handshake.view.diagnosis import diagnosis_lines
from handshake.view.field_page import FieldPage
from handshake.view.fields import Fields
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.hexdump import HexDump
from handshake.view.key_line import key_line
from handshake.view.ladder import Ladder
from handshake.view.layout import fit, line, paragraph, title_name, wrap
from handshake.view.notation import endpoint, headline, is_trouble
from handshake.view.segment_comparison import SegmentComparison
from handshake.view.sockets import Sockets
from handshake.view.step import (
    ROOM,
    Explanation,
    Picture,
    beside,
    explained,
    meaning,
    position,
    rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.record import Record
    from handshake.view.notation import Numbers
    from handshake.view.prompt import Prompt

_TALL: Final = 30
"""Lines that a wide screen needs to draw the header as a grid."""

_BELOW: Final = 18
"""Lines reserved for all but the ladder."""

_BELOW_WIDE: Final = 23

_DUMP: Final = 78
"""Columns for octets, with other text beside them."""

_ROWS: Final = 3
"""The fewest lines for the ladder."""


def ends(record: Record, glyphs: Glyphs) -> str:
    """Return number, client and server of a connection; numbers count from 1."""
    arrow = glyphs.becomes
    return f"#{record.stream + 1}  {endpoint(record.client)} {arrow} {endpoint(record.server)}"


def summary(record: Record, segments: int, glyphs: Glyphs = UNICODE) -> str:
    """Return a connection in a line: outcome, how it was closed, segments, duration."""
    parts = [f"tcp.stream == {record.stream}", record.outcome]
    if record.closed is not None:
        parts.append(glyphs.say(f"closed.{record.closed}"))
    parts.append(glyphs.say("ladder.left-out", count=segments))
    if record.duration is not None:
        parts.append(f"{record.duration:.3f} s")
    return ", ".join(parts)


@dataclass(frozen=True)
class Transcript:
    """A whole connection as text: its ladder, then each step explained."""

    record: Record
    steps: Sequence[Step]
    numbers: Numbers
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> Iterator[Text]:
        """Yield the lines one by one, as a long connection has many."""
        first, *rest = wrap(ends(self.record, self.glyphs), width - 4)
        yield line((first, "title"))
        yield from (line(("    " + each, "title")) for each in rest)
        yield from (
            line(("    " + each, "dim"))
            for each in wrap(summary(self.record, len(self.steps), self.glyphs), width - 4)
        )
        yield from Ladder(self.steps, self.numbers, glyphs=self.glyphs, gaps=True).lines(width)
        for before, step in pairwise(chain((None,), self.steps)):
            assert step is not None
            explanation = Explanation(step, self.numbers, before, glyphs=self.glyphs)
            yield from explanation.lines(width)
        if self.record.diagnosis is not None:
            yield line()
            yield rule(self.glyphs.say("diagnosis.title"), width, self.glyphs)
            yield from diagnosis_lines(self.record.diagnosis, width, self.glyphs)


@dataclass(frozen=True)
class Screen:
    """A step of a connection on a screen of a given size."""

    record: Record
    steps: Sequence[Step]
    at: int
    """The step to show, counted from 0."""

    numbers: Numbers
    name: str = ""
    """The capture's name."""

    keys: Sequence[str] = ()
    """The keys and what they do, as `key_line` takes them."""

    octets: bool = False
    """Whether to show the packet's octets instead of the explanation."""

    glyphs: Glyphs = UNICODE
    field: int | None = None
    """The field of the header to explain, from 0; None for none."""

    marked: int | None = None
    """The step to compare with, from 0; None for none."""

    problem: str = ""
    """What cannot be done."""

    notice: str = ""
    """What is said of the steps, such as that no more are kept."""

    prompt: Prompt | None = None
    """What is typed; None if nothing is."""

    def draw(self, width: int, height: int) -> Group:
        """Return the screen: exactly `height` lines, none wider than `width`."""
        wide = width >= ROOM and height >= _TALL
        keep = _BELOW_WIDE if wide else _BELOW
        foot = [line((self.glyphs.rule(width), "rule"))] if wide else []
        for text, style in ((self.problem, "bad"), (self.notice, "ok")):
            foot += paragraph(text, width, style) if text else []
        if self.prompt is not None:
            foot += self.prompt.lines(width, self.glyphs)
        else:
            foot.append(key_line(self.keys, width, self.glyphs))
        below = self._below(width, keep, wide=wide)
        plain = not self.octets and self.field is None and self.marked is None
        if self.record.diagnosis is not None and self.at + 1 == len(self.steps) and plain:
            found = self.record.diagnosis
            below = [*below, *diagnosis_lines(found, width, self.glyphs, brief=True)]
        # A long explanation takes its room from the ladder.
        room = min(height - keep, height - 1 - len(below) - len(foot))
        ladder = Ladder(
            self.steps,
            self.numbers,
            self.at,
            max(_ROWS, room),
            self.glyphs,
            gaps=True,
            marked=self.marked,
        )
        body = [self._title(width, wide=wide), *ladder.lines(width), *below]
        room = height - len(foot)
        lines = [*body[:room], *[line()] * (room - len(body)), *foot]
        for each in lines:
            each.truncate(width)
        return Group(*lines[:height])

    @property
    def _step(self) -> Step:
        return self.steps[self.at]

    def _below(self, width: int, keep: int, *, wide: bool) -> list[Text]:
        """Return the part below the ladder: what was asked for last."""
        head = [line(), self._rule(width)] if wide else [self._rule(width)]
        if self.field is not None:
            page = FieldPage(self._step, self.field, self.glyphs)
            return [*head, *page.lines(width, beside=wide)]
        if self.marked is not None:
            pair = SegmentComparison(self.steps[self.marked], self._step, self.numbers, self.glyphs)
            return [*head, *pair.lines(width)]
        if self.octets:
            return [*head, *self._octets(width, keep, wide=wide)]
        return self._explained(width, wide=wide)

    def _explained(self, width: int, *, wide: bool) -> list[Text]:
        """Return the part below the ladder: header, meaning and sockets."""
        if wide:
            picture = Picture(self._step, self.numbers, self._earlier, self.glyphs)
            return [line(), self._rule(width), *picture.lines(width)]
        return [
            self._rule(width),
            *Fields(self._step, self.numbers, self.glyphs).lines(width),
            rule(self.glyphs.say("step.meaning"), width, self.glyphs),
            *meaning(self._step, width, self.glyphs),
            rule(self.glyphs.say("step.sockets"), width, self.glyphs),
            *Sockets(self._step, self.numbers, glyphs=self.glyphs).lines(width),
        ]

    def _octets(self, width: int, room: int, *, wide: bool) -> list[Text]:
        dump = HexDump(self._step.observed, room - 4, width=width, glyphs=self.glyphs).lines()
        if not wide:
            return dump
        told = explained(self._step, self.numbers, width - _DUMP, self.glyphs)
        return beside(dump, _DUMP, list(told))

    def _title(self, width: int, *, wide: bool) -> Text:
        first, last = self.record.frames
        say = self.glyphs.say
        packets = say("list.packets", first=first, last=last)
        name = title_name(file_name(self.name), self.glyphs.ellipsis)
        where = f"  {name} {packets}" if wide else ""
        place = say("step.place", number=self.at + 1, count=len(self.steps))
        mark = "! " if is_trouble(self._step) else ""
        right = f"{place}  {mark}{headline(self._step, self.glyphs)} "
        left = f" {ends(self.record, self.glyphs)}{where}"
        room = max(0, width - cell_len(right) - 1)
        return line((f"{fit(left, room, self.glyphs.ellipsis)} ", "title"), right)

    def _rule(self, width: int) -> Text:
        since = self.steps[self.at - 1].observed.at if self.at else None
        return rule(position(self._step, since, width - 5, self.glyphs), width, self.glyphs)

    @property
    def _earlier(self) -> Step | None:
        """The previous segment of the same end."""
        before = (self.steps[at] for at in range(self.at - 1, -1, -1))
        return next((each for each in before if each.by is self._step.by), None)
