"""A lesson's scene on a screen too small for the drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import cropped, line, wrap
from handshake.view.lesson import Place, key_line, verdict

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.events import Change
    from handshake.lessons import LessonText, ScreenText, StepText


@dataclass(frozen=True)
class SmallLessonScreen:
    """A scene as text, with a line that says why there is no drawing."""

    place: Place
    text: LessonText
    words: ScreenText
    height: int
    glyphs: Glyphs = UNICODE
    answer: str | None = None
    """What was answered to the question of the step; None before that."""

    typed: str = ""
    """What was typed of an answer so far."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return as much as fits, the most important first."""
        scene, words = self.place.scene, self.words
        step = self.text.steps[scene.name]
        place = f"{words['step']} {self.place.index + 1}/{len(self.place.lesson.scenes)}"
        small = words["small"].format(width=width, height=self.height)
        paragraphs = [
            (small, "warn"),
            (f"{place}: {step.title}", "title"),
            *self._told(step),
            (f"{words['client']}: {_states(scene.client)}", "client"),
            (f"{words['server']}: {_states(scene.server)}", "server"),
        ]
        if scene.segment is not None:
            paragraphs.append((str(scene.segment), "none"))
        lines: list[Text] = []
        for text, style in paragraphs:
            lines += [line((each, style)) for each in wrap(self.glyphs.spell(text), width)]
        lines = lines[: self.height - 1]
        return [*lines, *cropped([key_line(self.place, width, self.glyphs)], width)]

    def _told(self, step: StepText) -> list[tuple[str, str]]:
        """Return the question of the step while it is asked, the chosen field, or why."""
        question, words = step.question, self.words
        if self.place.chosen is not None:
            field = words.fields[self.place.chosen]
            return [(f"{field.name}: {field.text}", "field.chosen")]
        if question is None:
            return [(step.why, "none")]
        if self.answer is None:
            choices = [
                (f"{number} {each}", "key") for number, each in enumerate(question.choices, 1)
            ]
            typed = [] if question.choices else [(f"> {self.typed}_", "key")]
            return [(f"{words['question']} {question.ask}", "none"), *choices, *typed]
        name, style, said = verdict(question, self.answer, words)
        return [(f"{name} {said}", style), (step.why, "none")]


def _states(change: Change) -> str:
    before, after = change.before, change.after
    if before is None or after is None or before.state is after.state:
        return "" if after is None else str(after.state)
    return f"{before.state} → {after.state}"
