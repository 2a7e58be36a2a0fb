"""Explains a step: its header, both sockets, what happened and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.tcp.segment import differing_fields
from handshake.view.fields import Fields
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.layout import cropped, line, wrap
from handshake.view.notation import cited, headline, is_trouble, milliseconds
from handshake.view.sockets import Sockets
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.view.notation import Numbers

_BESIDE: Final = 2
"""Columns between the grid and the text beside it."""

ROOM: Final = 110
"""Columns needed to draw a header as a grid with text beside it."""


_NARROWEST: Final = 12
"""The fewest columns for text: on a narrower screen it is cut off."""


def rule(text: str, width: int, glyphs: Glyphs) -> Text:
    """Return a heading: a line across the screen with a title."""
    left = f"{glyphs.rule(2)} "
    return line(
        (left, "rule"), text, (f" {glyphs.rule(max(0, width - 4 - cell_len(text)))}", "rule")
    )


def position(step: Step, since: int | None, room: int, glyphs: Glyphs) -> str:
    """Return number, time and length of a segment in its capture, as far as there is room."""
    observed = step.observed
    parts = [glyphs.say("step.segment", number=step.index)]
    if observed.frame is not None:
        parts.append(glyphs.say("step.packet", number=observed.frame))
    if since is not None:
        parts.append(milliseconds(observed.at - since))
    if observed.length is not None:
        parts.append(glyphs.say("step.octets", count=observed.length))
    if observed.ttl is not None:
        parts.append(f"ttl {observed.ttl}")
    while len(parts) > 1 and cell_len(", ".join(parts)) > room:
        parts.pop()
    return ", ".join(parts)


def meaning(step: Step, width: int, glyphs: Glyphs) -> list[Text]:
    """Return what happened and why, with the RFC section."""
    where = cited(step.section)
    why = step.said(glyphs.language)
    text = f"{why} ({where})" if where else why
    mark = ("!", "warn") if is_trouble(step) else " "
    if not text:
        return []
    first, *rest = wrap(text, max(_NARROWEST, width - 3))
    return [line(" ", mark, " ", first), *(line("   ", each) for each in rest)]


def explained(step: Step, numbers: Numbers, width: int, glyphs: Glyphs) -> Iterator[Text]:
    """Yield what a step means, and what both sockets know, to be put beside its octets."""
    yield line((f" {_capital(glyphs.say('step.meaning'))}", "title"))
    yield from meaning(step, width, glyphs)
    yield line()
    yield line((f" {_capital(glyphs.say('step.sockets'))}", "title"))
    yield from Sockets(step, numbers, full=True, glyphs=glyphs).lines(width)


def beside(left: Sequence[Text], width: int, right: Sequence[Text]) -> list[Text]:
    """Return lines with others beside them, from column `width` on."""
    rows = cropped([*left, *[line()] * (len(right) - len(left))], width)
    for row, text in zip(rows, right, strict=False):
        row.append_text(text)
    return rows


@dataclass(frozen=True)
class Picture:
    """A step with its header as a grid, and beside it its meaning and both sockets."""

    step: Step
    numbers: Numbers
    earlier: Step | None = None
    """The previous segment of the same end: fields that differ are marked."""

    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width`."""
        seg, earlier = self.step.segment, self.earlier
        changed = frozenset() if earlier is None else differing_fields(seg, earlier.segment)
        grid = HeaderGrid(seg, changed, ruler=True, hexadecimal=True, glyphs=self.glyphs).lines()
        told = explained(self.step, self.numbers, width - WIDTH - _BESIDE, self.glyphs)
        return beside(grid, WIDTH + _BESIDE, [*self._compared(changed), *told])

    def _compared(self, changed: frozenset[str]) -> Iterator[Text]:
        if self.earlier is None:
            return
        say = self.glyphs.say
        yield line((f" {say('step.compared', number=self.earlier.index)}", "title"))
        if changed:
            yield line("   ", ("*", "changed"), say("step.marks"))
        else:
            yield line(f"   {say('step.same')}")
        yield line()


@dataclass(frozen=True)
class Explanation:
    """A step with its fields, sockets and meaning, from top to bottom."""

    step: Step
    numbers: Numbers
    before: Step | None = None
    """The previous step, from which its time is counted."""

    earlier: Step | None = None
    """The previous step of the same end, with which the grid compares its header."""

    pictured: bool = False
    """Whether to draw the header as a grid: it needs `ROOM` columns."""

    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width`."""
        since = None if self.before is None else self.before.observed.at
        title = self._title(width, since)
        if self.pictured:
            picture = Picture(self.step, self.numbers, self.earlier, self.glyphs)
            return [title, *picture.lines(width)]
        return [
            title,
            *Fields(self.step, self.numbers, self.glyphs).lines(width),
            *Sockets(self.step, self.numbers, glyphs=self.glyphs).lines(width),
            *meaning(self.step, width, self.glyphs),
        ]

    def _title(self, width: int, since: int | None) -> Text:
        name = headline(self.step, self.glyphs)
        values = {"name": name, "by": self.step.by}
        room = width - 5 - cell_len(self.glyphs.say("step.rule", **values, position=""))
        where = position(self.step, since, room, self.glyphs)
        title = self.glyphs.say("step.rule", **values, position=where)
        head = rule(title, width, self.glyphs)
        begin = 3 + max(0, title.find(name))
        head.stylize(style_of(self.step.segment), begin, begin + len(name))
        return head


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
