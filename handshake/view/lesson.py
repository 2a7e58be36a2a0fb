"""A lesson's scene on a screen of 80x24: sockets, header, and explanation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.events import Role
from handshake.lessons import (
    Lesson,
    LessonText,
    Moment,
    Question,
    Scene,
    ScreenText,
    StepText,
)
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.header import HeaderGrid
from handshake.view.layout import centre, cropped, fit, line, wrap
from handshake.view.lesson_box import SocketBox
from handshake.view.lesson_live import ss_lines
from handshake.view.theme import style_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

MIN_WIDTH: Final = 80
MIN_HEIGHT: Final = 24

_BOX: Final = 32
_HEADER_LINES: Final = 8
_LAST: Final = 2
"""The keys at the end that are always shown: help, and the way out."""


@dataclass(frozen=True)
class Place:
    """The position in a lesson, and how to show it."""

    lesson: Lesson
    index: int
    """The scene, from 0."""

    number: str
    """Number of the lesson and of all lessons: `1/6`."""

    playing: bool = False
    chosen: str | None = None
    """The header field that is being explained."""

    keys: tuple[tuple[str, str], ...] = ()
    """The keys and what they do."""

    @property
    def scene(self) -> Scene:
        """The scene itself."""
        return self.lesson.scenes[self.index]


@dataclass(frozen=True)
class LessonScreen:
    """A scene in one language, at least 80 columns wide."""

    place: Place
    text: LessonText
    words: ScreenText
    height: int = MIN_HEIGHT
    glyphs: Glyphs = UNICODE
    answering: Answering | None = None
    """Where the question of the step is; None where it is not asked."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    @property
    def step(self) -> StepText:
        """The text of this scene."""
        return self.text.steps[self.place.scene.name]

    def lines(self, width: int) -> list[Text]:
        """Return the whole screen, exactly `height` lines."""
        below = [
            progress(self.place, self.text, width, self.glyphs),
            key_line(self.place, width, self.glyphs),
        ]
        above = [*self.picture(width), line((self.glyphs.rule(width), "rule"))]
        hidden = self.answering is not None and self.answering.answer is None
        why = [] if hidden and self.step.question else self.why(width)
        spare = self.height - len(above) - len(below) - len(why)
        return [*above, *why, *[line()] * spare, *below]

    def picture(self, width: int) -> list[Text]:
        """Return title, sockets and header."""
        title = title_line(self.place, self.text.title, (self.step, self.words), width, self.glyphs)
        shown = question_instead(self.step, self.answering, self.words, width, self.glyphs)
        if shown:
            shown = [*shown, *[line()] * (_HEADER_LINES - len(shown))]
        return [title, *self._sockets(width), *(shown or self._header(width))]

    def drawing(self, width: int, _: int | None) -> list[Text]:
        """Return the picture of the step as a part of a file."""
        shown = ss_lines(self.place.scene, self.words, width, self.glyphs)
        figure = [line(self.glyphs.spell(row)) for row in self.step.figure]
        return [*self._sockets(width), *self._header(width), *shown, *figure]

    def told(self, width: int) -> list[Text]:
        """Return what a text to read says below the picture: what `ss` shows, why, and more."""
        lines = ss_lines(self.place.scene, self.words, width, self.glyphs)
        if self.step.question is not None:
            lines += key_to(self.step.question, self.words, width, self.glyphs)
        lines += self.why(width)
        return [*lines, *more(self.step, width, self.glyphs)]

    def why(self, width: int) -> list[Text]:
        """Return the explanation of the scene, or of the chosen field."""
        name, text, style = self.words["why"], self.step.why, "why"
        if self.place.chosen is not None:
            field = self.words.fields[self.place.chosen]
            name, text, style = f"{field.name}:", field.text, "field.chosen"
        return paragraph(name, text, width, style, self.glyphs)

    def _sockets(self, width: int) -> list[Text]:
        scene, step = self.place.scene, self.step
        client = SocketBox(scene, Role.CLIENT, step.client, self.words, glyphs=self.glyphs)
        server = SocketBox(scene, Role.SERVER, step.server, self.words, glyphs=self.glyphs)
        gap = width - 2 * _BOX
        between = [line(), line(), *self._wire(gap)]
        between += [line()] * (8 - len(between))
        return [
            line(left, middle, right)
            for left, middle, right in zip(
                client.compact(_BOX), cropped(between, gap), server.compact(_BOX), strict=True
            )
        ]

    def _wire(self, gap: int) -> list[Text]:
        scene, seg = self.place.scene, self.place.scene.segment
        if seg is None:
            return []
        style = style_of(seg)
        labels = [str(seg.flags), f"seq={seg.seq}"]
        labels += [] if seg.ack is None else [f"ack={seg.ack}"]
        arrow = self.glyphs.left_arrow(gap - 3)
        if scene.by is Role.CLIENT:
            arrow = self.glyphs.right_arrow(gap - 3)
        arrived = scene.moment is Moment.ARRIVES
        at = self.words["arrived"].format(ms=f"{scene.at / 1e6:.1f}")
        note = at if arrived else self.words["on_the_wire"]
        return [
            *(line((centre(label, gap), style)) for label in labels),
            line((f" {arrow}", style)),
            line((centre(note, gap), "dim")),
        ]

    def _header(self, width: int) -> list[Text]:
        scene = self.place.scene
        if scene.segment is None:
            return programs(scene, self.place.lesson, self.words, width, self.glyphs)
        spell = self.glyphs.spell
        grid = HeaderGrid(
            scene.segment,
            changed=scene.changed,
            notes={name: spell(note) for name, note in self.step.notes.items()},
            inside={name: spell(note) for name, note in self.step.inside.items()},
            chosen=self.place.chosen,
            glyphs=replace(self.glyphs, language=self.words.language),
        )
        return grid.lines(width)


def title_line(
    place: Place,
    title: str,
    texts: tuple[StepText, ScreenText],
    width: int,
    glyphs: Glyphs,
    when: str = "",
) -> Text:
    """Return the first line: the lesson on the left, the step on the right."""
    step, words = texts
    left = f" {place.number}  {title}"
    right = f"{words['step']} {place.index + 1}/{len(place.lesson.scenes)} · {step.title}{when}"
    if place.playing:
        right = f"{words['playing']} · {right}"
    left, right = glyphs.spell(left), glyphs.spell(right)
    room = width - cell_len(right) - 1
    if cell_len(left) > room and place.lesson.variant_of:
        left = f" {place.number}  {glyphs.spell(title.partition(':')[0])}"
    if cell_len(left) > room:
        left = f" {place.number}"  # the step is more than the name of the lesson
    return line((fit(left, room, glyphs.ellipsis), "title"), (f" {right}", "none"))


def paragraph(name: str, text: str, width: int, style: str, glyphs: Glyphs) -> list[Text]:
    """Return text with a styled first word."""
    name, text = glyphs.spell(name), glyphs.spell(text)
    first, *rest = wrap(text, width - 2, cell_len(name) + 1)
    return [line(" ", (name, style), f" {first}"), *(line(f" {each}") for each in rest)]


@dataclass(frozen=True, slots=True)
class Answering:
    """How far the question of a step is answered."""

    answer: str | None = None
    """What was answered; None before that."""

    typed: str = ""
    """What was typed of an answer so far."""

    fresh: bool = False
    """Whether it was answered just now."""


def asked(
    question: Question,
    typed: str,
    words: ScreenText,
    width: int,
    glyphs: Glyphs,
    *,
    cursor: str = "_",
) -> list[Text]:
    """Return a question, with its choices or what was typed so far."""
    rows = paragraph(words["question"], question.ask, width, "why", glyphs)
    for number, each in enumerate(question.choices, 1):
        rows += paragraph(f"  {number}", each, width, "key", glyphs)
    if not question.choices:
        rows.append(line(("   > ", "key"), typed, cursor))
    return rows


def answered(
    question: Question, answer: str, words: ScreenText, width: int, glyphs: Glyphs
) -> list[Text]:
    """Return whether an answer is right, and why, as a paragraph."""
    name, style, says = verdict(question, answer, words)
    return paragraph(name, says, width, style, glyphs)


def verdict(question: Question, answer: str, words: ScreenText) -> tuple[str, str, str]:
    """Return whether an answer is right: the word, its style, and why."""
    right = answer == question.right
    says = f"{question.right}: " if not (right or question.choices) else ""
    says += f"{question.says(answer)} ({question.section})"
    return (words["right"], "ok", says) if right else (words["wrong"], "bad", says)


def question_instead(
    step: StepText, answering: Answering | None, words: ScreenText, width: int, glyphs: Glyphs
) -> list[Text]:
    """Return what stands where the header will: the question, until it is answered and read."""
    question = step.question
    if question is None or answering is None:
        return []
    if answering.answer is None:
        return asked(question, answering.typed, words, width, glyphs)
    if not answering.fresh:
        return []
    said = answered(question, answering.answer, words, width, glyphs)
    return [*asked(question, answering.answer, words, width, glyphs, cursor=""), *said]


def key_to(question: Question, words: ScreenText, width: int, glyphs: Glyphs) -> list[Text]:
    """Return a question with its right answer, as a text to read has it."""
    rows = asked(question, "", words, width, glyphs)
    rows = rows if question.choices else rows[:-1]
    answer = f"{question.right}. {question.says(question.right)} ({question.section})"
    return [*rows, *paragraph(words["answer"], answer, width, "why", glyphs)]


def more(step: StepText, width: int, glyphs: Glyphs) -> list[Text]:
    """Return what only a text to read has: the figure of a step, and what it says besides."""
    rows = [*step.figure] if all(cell_len(row) <= width for row in step.figure) else []
    if step.more:
        rows += [f" {row}" for row in wrap(step.more, width - 2)]
    return [line(glyphs.spell(row)) for row in rows]


def progress(place: Place, text: LessonText, width: int, glyphs: Glyphs) -> Text:
    """Return all steps in one line: done, current, to come; with names where there is room."""
    named = _progress(place, text, glyphs, named=True)
    return named if named.cell_len <= width else _progress(place, text, glyphs, named=False)


def _progress(place: Place, text: LessonText, glyphs: Glyphs, *, named: bool) -> Text:
    parts: list[tuple[str, str]] = []
    for number, scene in enumerate(place.lesson.scenes):
        here = number == place.index
        sign = glyphs.done if number < place.index else glyphs.here if here else glyphs.coming
        short = f" {text.steps[scene.name].short}" if named or here else ""
        parts.append((f" {sign}{short}", "title" if here else "none"))
    return line(*parts)


def key_line(place: Place, width: int, glyphs: Glyphs) -> Text:
    """Return the keys and what they do; where there is no room, the last two and the first."""
    keys = [*place.keys]
    while (shown := _key_line(keys, glyphs)).cell_len > width and len(keys) > _LAST:
        del keys[-_LAST - 1]
    return shown


def _key_line(keys: Sequence[tuple[str, str]], glyphs: Glyphs) -> Text:
    parts: list[str | tuple[str, str]] = [" "]
    for key, what in keys:
        parts += [(glyphs.spell(key), "key"), f" {what}  "]
    shown = line(*parts)
    shown.rstrip()
    return shown


def programs(
    scene: Scene, lesson: Lesson, words: ScreenText, width: int, glyphs: Glyphs
) -> list[Text]:
    """Return both programs where no header is sent, with their current lines marked."""
    half = width // 2
    sides = (
        (_program(lesson.client_program, scene.client_line), words["client_program"], "client"),
        (_program(lesson.server_program, scene.server_line), words["server_program"], "server"),
    )
    heads = [fit(f"   {head}", half) for _, head, _ in sides]
    rows = zip_longest(*(body for body, _, _ in sides), fillvalue=("", False))
    lines = [
        line((heads[0], "client"), (heads[1], "server")),
        *(
            line(*((fit(text, half), "changed" if here else "none") for text, here in row))
            for row in rows
        ),
    ]
    lines += [line()] * (7 - len(lines))
    return [*lines, line((glyphs.spell(f"   {words['nothing_sent']}"), "dim"))]


def _program(calls: Sequence[str], reached: int) -> list[tuple[str, bool]]:
    return [
        (f" > {call}" if number == reached else f"   {call}", number == reached)
        for number, call in enumerate(calls)
    ]
