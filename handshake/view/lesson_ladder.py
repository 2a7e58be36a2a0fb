"""A scene of a lesson as the last rung of a ladder: what has passed so far, and what `ss` shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.events import Role
from handshake.lessons import LessonText, Moment, ScreenText, StepText
from handshake.tcp import Flags
from handshake.units import NS_PER_MS, NS_PER_SECOND
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import HeaderGrid
from handshake.view.layout import centre, fit, line
from handshake.view.lesson import (
    MIN_HEIGHT,
    Place,
    answered,
    asked,
    key_line,
    key_to,
    more,
    paragraph,
    progress,
    title_line,
)
from handshake.view.lesson_box import options_of
from handshake.view.lesson_knows import command_lines, knows_lines
from handshake.view.lesson_live import live_lines, ss_lines
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Change
    from handshake.lessons import Scene
    from handshake.lessons.live_event import LiveScene
    from handshake.tcp import Segment

TALL: Final = 40
"""Lines from which on the table of both sockets has room beside the ladder."""

_STATE: Final = 12
_TIME: Final = 10
_LONG: Final = NS_PER_SECOND // 2
"""Nanoseconds in which nothing happens that get a row of their own."""


@dataclass(frozen=True)
class LadderLessonScreen:
    """A scene in one language, at least 80 columns wide."""

    place: Place
    text: LessonText
    words: ScreenText
    height: int = MIN_HEIGHT
    glyphs: Glyphs = UNICODE
    answer: str | None = None
    """What was answered to the question of the step; None before that."""

    typed: str = ""
    """What was typed of an answer so far."""

    second: tuple[LessonText, ScreenText] | None = None
    """The text in another language, too, where there is room."""

    live: LiveScene | None = None
    """What real hosts did in this scene, if they play the lesson."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    @property
    def step(self) -> StepText:
        """The text of this scene."""
        return self.text.steps[self.place.scene.name]

    def lines(self, width: int) -> list[Text]:
        """Return the whole screen, exactly `height` lines."""
        done = progress(self.place, self.text, width, self.glyphs)
        below = [done, key_line(self.place, width, self.glyphs)]
        told = [line((self.glyphs.rule(width), "rule")), *self.why(width)]
        room = self.height - len(below) - len(told)
        picture = self.picture(width, room)
        asks = self.step.question is not None and self.answer is None
        if self.height >= TALL and not asks:
            scene, words = self.place.scene, self.words
            extra = knows_lines(self.place, words, width, self.glyphs)
            extra += command_lines(scene, words, width, self.glyphs)
            picture = [*self.picture(width, max(MIN_HEIGHT // 2, room - len(extra))), *extra]
            picture = picture[:room]
        return [*picture, *told, *[line()] * (room - len(picture)), *below]

    def picture(self, width: int, room: int = MIN_HEIGHT) -> list[Text]:
        """Return the title, the ladder and what `ss` shows, in at most `room` lines."""
        title = title_line(self.place, self.text.title, (self.step, self.words), width, self.glyphs)
        if self.place.chosen is not None:
            return [title, *self._header(width, room - 1)]
        shown = self._shown(width)
        rungs = self._rungs(width)[-max(1, room - len(shown) - 2) :]
        return [title, self._heads(width), *rungs, *shown]

    def drawing(self, width: int, before: int | None) -> list[Text]:
        """Return the rungs of the ladder since the step `before` this one, and what `ss` shows."""
        shown = [self._heads(width), *self._rungs(width, before), *self._shown(width)]
        if not self.place.lesson.tables:
            return shown
        scene, words, glyphs = self.place.scene, self.words, self.glyphs
        shown += command_lines(scene, words, width, glyphs)
        return [*shown, *knows_lines(self.place, words, width, glyphs)]

    def told(self, width: int, before: int | None) -> list[Text]:
        """Return the step as a part of a text: what happened since the step `before` it."""
        title = f"{self.place.index + 1}. {self.step.title}"
        lines = [line((self.glyphs.spell(title), "title")), line()]
        lines += [*self.drawing(width, before), line()]
        question = self.step.question
        if question is None:
            return [*lines, *self.why(width), *more(self.step, width, self.glyphs)]
        lines += key_to(question, self.words, width, self.glyphs)
        lines += paragraph(self.words["why"], self.step.why, width, "why", self.glyphs)
        return [*lines, *more(self.step, width, self.glyphs)]

    def why(self, width: int) -> list[Text]:
        """Return the question of the scene, while it is asked, or else the explanation."""
        question, step = self.step.question, self.step
        if self.place.chosen is not None:
            field = self.words.fields[self.place.chosen]
            return paragraph(f"{field.name}:", field.text, width, "field.chosen", self.glyphs)
        why = paragraph(self.words["why"], step.why, width, "why", self.glyphs)
        if self.second is not None:
            text, words = self.second
            other = text.steps[self.place.scene.name]
            why += paragraph(words["why"], other.why, width, "why", self.glyphs)
        if question is None:
            return why
        if self.answer is None:
            return asked(question, self.typed, self.words, width, self.glyphs)
        return answered(question, self.answer, self.words, width, self.glyphs) + why

    def _header(self, width: int, room: int) -> list[Text]:
        """Return the header of the segment; below it that of the kernel, where one plays it."""
        scene, live = self.place.scene, self.live
        assert scene.segment is not None
        lines = self._grid(scene.segment, scene.changed, width)
        sent = None if live is None or live.event is None else live.event.segment
        if sent is None:
            return lines[:room]
        head = line((f" {self.words['live_header']}", "title"))
        real = [head, *self._grid(sent, frozenset(), width)]
        return [*lines, *real] if len(lines) + len(real) <= room else real[:room]

    def _grid(self, segment: Segment, changed: frozenset[str], width: int) -> list[Text]:
        return HeaderGrid(
            segment,
            changed=changed,
            chosen=self.place.chosen,
            glyphs=replace(self.glyphs, language=self.words.language),
        ).lines(width)

    def _heads(self, width: int) -> Text:
        client, server = self.words["client"], self.words["server"]
        sent_at = self.words["sent_at"]
        gap = width - _TIME - 2 * _STATE - 3
        return line(
            fit(" " * max(0, _TIME - 2 - cell_len(sent_at)) + sent_at, _TIME),
            (fit(client, _STATE), "client"),
            " " * (gap + 3),
            (fit(server, _STATE), "server"),
        )

    def _rungs(self, width: int, since: int | None = None) -> list[Text]:
        """Return a row for each thing that happened, and for each time in which nothing did.

        With `since` only for what happened after the step with this number.
        """
        rows: list[Text] = []
        before = skipped = 0
        scenes = self.place.lesson.until(self.place.index)
        if since is not None and self.place.lesson.scenes[since].part == self.place.scene.part:
            skipped = len(self.place.lesson.until(since))
            # A segment that was on the way is drawn again, as it arrives.
            while skipped and scenes[skipped - 1].moment is Moment.LEAVES:
                skipped -= 1
        arrivals = {id(each.segment): each for each in scenes if each.moment is Moment.ARRIVES}
        for number, scene in enumerate(scenes):
            if scene.moment is Moment.ARRIVES:
                continue
            if number < skipped:
                before = scene.at
                continue
            if scene.at - before >= _LONG:
                waited = self.words["waits"].format(seconds=f"{(scene.at - before) / 1e9:.3g}")
                rows.append(line((centre(self.glyphs.spell(waited), width), "dim")))
            before = scene.at
            rows.append(self._rung(scene, arrivals.get(id(scene.segment)), width))
        return rows

    def _rung(self, scene: Scene, arrival: Scene | None, width: int) -> Text:
        """Return the row of what happened: the sender as it sent, the receiver as it received."""
        later = arrival or scene
        client, server = scene.client, scene.server
        if scene.by is Role.CLIENT:
            server = later.server
        elif scene.segment is not None:
            client = later.client
        mark = ">" if self.place.scene in (scene, arrival) else " "
        return line(
            f"{scene.at / NS_PER_MS:>{_TIME - 2}.1f}{mark}".ljust(_TIME),
            (fit(_state(client), _STATE), "changed" if _moved(client) else "none"),
            " ",
            self._arrow(scene, width - _TIME - 2 * _STATE - 3, arrived=arrival is not None),
            "  ",
            (fit(_state(server), _STATE), "changed" if _moved(server) else "none"),
        )

    def _arrow(self, scene: Scene, width: int, *, arrived: bool) -> Text:
        seg, glyphs = scene.segment, self.glyphs
        if seg is None:
            return line(
                (fit(glyphs.spell(self.words.called(scene)), width, glyphs.ellipsis), "dim")
            )
        label = f" {seg.flags & ~Flags.PSH} seq={seg.seq}"
        label += "" if seg.ack is None else f" ack={seg.ack}"
        if seg.syn and self.place.lesson.options:
            label = f" {seg.flags} {options_of(seg)}"
        label += f" data={seg.payload_length} " if seg.payload_length else " "
        lost = scene.moment in (Moment.LOST, Moment.REJECTED)
        length = width if arrived else min(width, max(width * 2 // 3, cell_len(label) + 6))
        rest = length - cell_len(label) - 2
        two = glyphs.rule(2)
        if rest < 1:
            label, two, rest = label.strip(), "", max(1, rest + 4)
        if scene.by is Role.CLIENT:
            arrow = f"{two}{label}{glyphs.right_arrow(rest, lost=lost)}"
            return line((fit(arrow, width), style_of(seg)))
        arrow = f"{glyphs.left_arrow(rest, lost=lost)}{label}{two}"
        return line((" " * (width - cell_len(arrow)) + arrow, style_of(seg)))

    def _shown(self, width: int) -> list[Text]:
        scene, words = self.place.scene, self.words
        shown = ss_lines(scene, words, width, self.glyphs, self.live)
        if self.live is not None:
            shown += live_lines(scene, self.live, words, width, self.glyphs)
        return shown


def _state(change: Change) -> str:
    return "" if change.after is None else str(change.after.state)


def _moved(change: Change) -> bool:
    before, after = change.before, change.after
    return after is not None and (before is None or before.state is not after.state)
