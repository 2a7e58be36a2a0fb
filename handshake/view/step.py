"""One step explained: its header, both sockets, what happened and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.view.fields import Fields, differing
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.layout import cropped, line, wrap
from handshake.view.notation import cited, headline, is_trouble, milliseconds
from handshake.view.sockets import Sockets
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Step
    from handshake.view.numbers import Numbers

_BESIDE: Final = 2
"""Columns between the grid and the words beside it."""

ROOM: Final = 110
"""Columns from which a header is drawn as a grid, with the words beside it."""


_NARROWEST: Final = 12
"""Columns that words are given even where there are fewer: what does not fit is cut off."""


def rule(text: str, width: int, glyphs: Glyphs) -> Text:
    """Return a line across the screen with the title of what stands below it."""
    left = f"{glyphs.rule(2)} "
    return line((left, "rule"), text, (f" {glyphs.rule(max(0, width - 4 - len(text)))}", "rule"))


def circumstances(step: Step, since: int | None, room: int) -> str:
    """Return where in the capture a segment was, when, and how long the frame is, if it fits."""
    observed = step.observed
    parts = [f"segment {step.index}"]
    if observed.frame is not None:
        parts.append(f"packet {observed.frame}")
    if since is not None:
        parts.append(milliseconds(observed.at - since))
    if observed.length is not None:
        parts.append(f"{observed.length} octets")
    if observed.ttl is not None:
        parts.append(f"ttl {observed.ttl}")
    while len(parts) > 1 and len(", ".join(parts)) > room:
        parts.pop()
    return ", ".join(parts)


def meaning(step: Step, width: int) -> list[Text]:
    """Return what happened and why, and where the rule stands."""
    where = cited(step.section)
    text = f"{step.why} ({where})" if where else step.why
    mark = ("!", "warn") if is_trouble(step) else " "
    if not text:
        return []
    first, *rest = wrap(text, max(_NARROWEST, width - 3))
    return [line(" ", mark, " ", first), *(line("   ", each) for each in rest)]


@dataclass(frozen=True)
class Picture:
    """One step with its header as a grid, and beside it what it means and what sockets know."""

    step: Step
    numbers: Numbers
    earlier: Step | None = None
    """The last segment before it that the same end sent: what differs is marked."""

    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return the lines, no wider than `width`."""
        seg, earlier = self.step.segment, self.earlier
        changed = frozenset() if earlier is None else differing(seg, earlier.segment)
        grid = HeaderGrid(seg, changed, ruler=True, hexadecimal=True, glyphs=self.glyphs).lines()
        words = [*self._compared(changed), *self._words(width - WIDTH - _BESIDE)]
        empty = [line()] * (len(words) - len(grid))
        rows = cropped([*grid, *empty], WIDTH + _BESIDE)
        for row, text in zip(rows, words, strict=False):
            row.append_text(text)
        return rows

    def _compared(self, changed: frozenset[str]) -> Iterator[Text]:
        if self.earlier is None:
            return
        yield line((f" Compared with segment {self.earlier.index}", "title"))
        if changed:
            yield line("   ", ("*", "changed"), " marks what is different")
        else:
            yield line("   = every TCP field is the same")
        yield line()

    def _words(self, width: int) -> Iterator[Text]:
        yield line((" What this means", "title"))
        yield from meaning(self.step, width)
        yield line()
        yield line((" What each socket knows", "title"))
        yield from Sockets(self.step, self.numbers, full=True, glyphs=self.glyphs).lines(width)


@dataclass(frozen=True)
class Explanation:
    """One step in full, each part below the other."""

    step: Step
    numbers: Numbers
    before: Step | None = None
    """The step before it, from which its time is counted."""

    earlier: Step | None = None
    """The last step of the same end, with which a picture compares its header."""

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
            *meaning(self.step, width),
        ]

    def _title(self, width: int, since: int | None) -> Text:
        name = headline(self.step)
        by = f"{name} from the {self.step.by}, "
        head = rule(by + circumstances(self.step, since, width - 5 - len(by)), width, self.glyphs)
        head.stylize(style_of(self.step.segment), 3, 3 + len(name))
        return head
