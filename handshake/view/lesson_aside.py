"""What only real hosts show, after the last step of a lesson: their ladder, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line
from handshake.view.lesson import Place, key_line, more, paragraph
from handshake.view.lesson_live import aside_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.lessons import ScreenText, StepText
    from handshake.lessons.live_event import LiveEvent


@dataclass(frozen=True)
class AsideScreen:
    """An aside on a screen of its own."""

    place: Place
    step: StepText
    words: ScreenText
    events: Sequence[LiveEvent]
    height: int
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def told(self, width: int) -> list[Text]:
        """Return the aside as a part of a text."""
        title = line((fit(self.glyphs.spell(self.step.title), width), "title"))
        rows = aside_lines(self.events, self.words, width, self.glyphs)
        why = paragraph(self.words["why"], self.step.why, width, "why", self.glyphs)
        rule = line((self.glyphs.rule(width), "rule"))
        return [title, *rows, rule, *why, *more(self.step, width, self.glyphs)]

    def lines(self, width: int) -> list[Text]:
        """Return the whole screen, exactly `height` lines."""
        told = self.told(width)[: self.height - 1]
        told += [line()] * (self.height - 1 - len(told))
        return [*told, key_line(self.place, width, self.glyphs)]
