"""A lesson's scene on a screen of 120x40: bit ruler, larger sockets, one or two languages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.lessons import Lesson, LessonText, Moment, ScreenText, StepText
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import WIDTH, HeaderGrid
from handshake.view.layout import centre, cropped, fit, line
from handshake.view.lesson import (
    Answering,
    Place,
    key_line,
    paragraph,
    programs,
    progress,
    question_instead,
    title_line,
)
from handshake.view.lesson_box import SocketBox
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.tcp import Segment

MIN_WIDTH: Final = 120
MIN_HEIGHT: Final = 40

_BOX: Final = 43
_NAMES: Final = 20
"""Columns for the names in the pane."""

_GRID_LINES: Final = 15


@dataclass(frozen=True)
class WideLessonScreen:
    """A scene, at least 120 columns wide. The drawing is in the first language."""

    place: Place
    texts: tuple[tuple[LessonText, ScreenText], ...]
    """The texts in one or two languages."""

    height: int = MIN_HEIGHT
    glyphs: Glyphs = UNICODE
    answering: Answering | None = None
    """Where the question of the step is; None where it is not asked."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    @property
    def _step(self) -> StepText:
        return self.texts[0][0].steps[self.place.scene.name]

    def lines(self, width: int) -> list[Text]:
        """Return the whole screen, exactly `height` lines."""
        text, words = self.texts[0]
        title = " · ".join(each.title for each, _ in self.texts)
        rule = line((self.glyphs.rule(width), "rule"))
        answering = self.answering
        hidden = self._step.question is not None and answering is not None
        hidden = hidden and answering is not None and answering.answer is None
        above = [
            title_line(
                self.place, title, (self._step, words), width, self.glyphs, when=self._when()
            ),
            *self._sockets(width),
            *self._middle(width),
            rule,
            *([] if hidden else self._why(width)),
        ]
        below = [
            rule,
            progress(self.place, text, width, self.glyphs),
            key_line(self.place, width, self.glyphs),
        ]
        return [*above, *[line()] * (self.height - len(above) - len(below)), *below]

    def _when(self) -> str:
        scene = self.place.scene
        return "" if scene.segment is None else f" · t = {scene.at / 1e6:.1f} ms"

    def _sockets(self, width: int) -> list[Text]:
        gap = width - 2 * _BOX
        left, right = self._box(Role.CLIENT).wide(_BOX), self._box(Role.SERVER).wide(_BOX)
        between = self._wire(gap)
        between += [line()] * (len(left) - len(between))
        return [
            line(client, middle, server)
            for client, middle, server in zip(left, cropped(between, gap), right, strict=True)
        ]

    def _box(self, role: Role) -> SocketBox:
        name, words = self.place.scene.name, self.texts[0][1]
        step = self._step
        below = ""
        if len(self.texts) > 1:
            text, other = self.texts[1]
            end = text.steps[name].client if role is Role.CLIENT else text.steps[name].server
            below = f"{other[str(role)]} {end.title}"
        end = step.client if role is Role.CLIENT else step.server
        return SocketBox(self.place.scene, role, end, words, below, self.glyphs)

    def _wire(self, gap: int) -> list[Text]:
        """Draw every segment so far, the current one in its colour."""
        lines = [line()]
        for scene in self.place.lesson.scenes[: self.place.index + 1]:
            seg = scene.segment
            if seg is None or scene.moment is not Moment.LEAVES:
                continue
            style = style_of(seg) if seg is self.place.scene.segment else "dim"
            labels = [f"{scene.at / 1e6:.1f} ms  {seg.flags}  seq={seg.seq}"]
            if seg.ack is not None:
                labels = [f"{scene.at / 1e6:.1f} ms  {seg.flags}", f"seq={seg.seq}  ack={seg.ack}"]
            arrow = self.glyphs.left_arrow(gap - 4)
            if scene.by is Role.CLIENT:
                arrow = self.glyphs.right_arrow(gap - 4)
            lines += [line((centre(label, gap), style)) for label in labels]
            lines.append(line((f"  {arrow}  ", style)))
        return lines

    def _middle(self, width: int) -> list[Text]:
        shown = question_instead(self._step, self.answering, self.texts[0][1], width, self.glyphs)
        if not shown:
            return self._header(width)
        return [*shown, *[line()] * (_GRID_LINES - len(shown))]

    def _header(self, width: int) -> list[Text]:
        scene, (_, words) = self.place.scene, self.texts[0]
        if scene.segment is None:
            lines = programs(scene, self.place.lesson, words, width, self.glyphs)
            return lines + [line()] * (_GRID_LINES - len(lines))
        grid = HeaderGrid(
            scene.segment,
            changed=scene.changed,
            ruler=True,
            hexadecimal=True,
            chosen=self.place.chosen,
            glyphs=replace(self.glyphs, language=words.language),
        )
        pane = self._pane(scene.segment, width - WIDTH - 2)
        return [
            line(left, "  ", right)
            for left, right in zip_longest(
                cropped(grid.lines(), WIDTH), pane[:_GRID_LINES], fillvalue=line()
            )
        ]

    def _pane(self, segment: Segment, width: int) -> list[Text]:
        """Return the notes beside the header."""
        text = self.texts[0][0]
        pane = text.panes[_number(self.place.lesson, segment)]
        spell, room = self.glyphs.spell, width - _NAMES - 1
        rows = [
            line(
                (f" {fit(spell(name), _NAMES)}", "changed" if name[0] == "*" else "field.value"),
                fit(spell(what), room, self.glyphs.ellipsis),
            )
            for name, what in pane.rows
        ]
        return [
            line((spell(pane.title), "title")),
            line(),
            *rows,
            line(),
            *(line((f" {each}", "dim")) for each in _dump(segment)),
            line(),
            line((f" {pane.section}", "dim")),
        ]

    def _why(self, width: int) -> list[Text]:
        columns = [self._meaning(*each, width // len(self.texts)) for each in self.texts]
        return [
            line(*cropped(row, width // len(self.texts)))
            for row in zip_longest(*columns, fillvalue=line())
        ]

    def _meaning(self, text: LessonText, words: ScreenText, width: int) -> list[Text]:
        step = text.steps[self.place.scene.name]
        if self.place.chosen is None:
            return paragraph(words["why"], step.why, width, "why", self.glyphs)
        field = words.fields[self.place.chosen]
        return paragraph(f"{field.name}:", field.text, width, "field.chosen", self.glyphs)


def _number(lesson: Lesson, segment: Segment) -> int:
    """Return the number of the segment in its lesson, from 0."""
    order: list[Segment] = []
    for scene in lesson.scenes:
        if scene.segment is not None and scene.segment not in order:
            order.append(scene.segment)
    return order.index(segment)


def _dump(segment: Segment) -> list[str]:
    """Return the header's octets in hexadecimal, in groups of two."""
    groups = segment.pack().hex(" ", 2).split()
    return [" ".join(groups[at : at + 10]) for at in range(0, len(groups), 10)]
