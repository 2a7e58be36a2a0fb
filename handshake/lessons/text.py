"""Reads the text of lessons: a TOML file per lesson and language, and one for the screens."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from handshake.messages import text

if TYPE_CHECKING:
    from handshake.lessons.scene import Scene

LANGUAGES: Final = ("en", "ko")


@dataclass(frozen=True, slots=True)
class EndText:
    """The text about one end in a step."""

    title: str
    """The name of the socket."""

    app: str
    """What its program does."""

    knows: str
    """What the socket knows now."""


_NO_TEXT: Final = EndText("", "", "")


@dataclass(frozen=True, slots=True)
class Question:
    """What a step asks before it is told."""

    ask: str
    choices: tuple[str, ...]
    """The answers to choose from; empty where a number is to be typed."""

    right: str
    """The right answer: its number among the choices, from 1, or the number to type."""

    because: tuple[str, ...]
    """Why each answer is right or wrong; of a number, why it is this one."""

    section: str
    """Where it is laid down."""

    def says(self, answer: str) -> str:
        """Return what to say to an answer."""
        if not self.choices:
            return self.because[0]
        return self.because[int(answer) - 1]


@dataclass(frozen=True, slots=True)
class StepText:
    """The text of a step."""

    short: str
    """Its name in the line of all steps."""

    title: str
    why: str
    client: EndText = _NO_TEXT
    server: EndText = _NO_TEXT
    notes: dict[str, str] = field(default_factory=dict)
    """Notes beside the header's rows, by field."""

    inside: dict[str, str] = field(default_factory=dict)
    """Notes inside the header's rows, by field."""

    question: Question | None = None
    more: str = ""
    """What a text to read says besides."""

    figure: tuple[str, ...] = ()
    """The lines of a drawing that belongs to it, at most 80 columns wide."""


@dataclass(frozen=True, slots=True)
class PaneText:
    """The text about a segment on a wide screen."""

    title: str
    rows: tuple[tuple[str, str], ...]
    section: str
    """The section of RFC 9293."""


@dataclass(frozen=True, slots=True)
class LessonText:
    """The text of a lesson in one language."""

    title: str
    steps: dict[str, StepText]
    panes: tuple[PaneText, ...]
    """One for each segment, in order."""

    intro: str = ""
    """What a text to read begins with."""

    asides: dict[str, StepText] = field(default_factory=dict)
    """The text of what only a real kernel shows, by part."""


@dataclass(frozen=True, slots=True)
class FieldText:
    """The text about a header field, the same in all lessons."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ScreenText:
    """The labels of the screens in one language."""

    language: str
    screen: dict[str, str]
    fields: dict[str, FieldText]
    calls: dict[str, str]
    """What a program does, or a timer ends, by the name of the scene."""

    def __getitem__(self, name: str) -> str:
        return self.screen[name]

    def called(self, scene: Scene) -> str:
        """Return what a program did, or what else happened on a host without a segment."""
        _, _, name = scene.name.rpartition(".")
        if name == "connect" and scene.sends and scene.sends[0].options.fast_open is not None:
            name = "sendto"
        text = self.calls.get(name) or self.calls.get(name.partition("-")[0])
        text = text or self.calls.get(scene.seen_as, name)
        kind, code = (None, None) if scene.error is None else (scene.error.type, scene.error.code)
        return text.format(number=scene.number, type=kind, code=code)

    @property
    def labels(self) -> dict[str, str]:
        """The short names of the fields."""
        return {
            name: text("screens", f"header.{name}.label", {}, self.language) for name in self.fields
        }


@cache
def screen_text(language: str) -> ScreenText:
    """Return the labels of the screens in one of `LANGUAGES`."""
    read = read_text("screens", language)
    fields = {
        name: FieldText(each["name"], joined(each["text"])) for name, each in read["fields"].items()
    }
    return ScreenText(language, read["screen"], fields, read["calls"])


@cache
def lesson_text(name: str, language: str) -> LessonText:
    """Return the text of a lesson in one of `LANGUAGES`."""
    read = read_text(name, language)
    return LessonText(
        title=read["title"],
        steps={each: _step(text) for each, text in read["steps"].items()},
        panes=tuple(_pane(text) for text in read.get("segments", ())),
        intro=joined(read.get("intro", "")),
        asides={each: _step(text) for each, text in read.get("asides", {}).items()},
    )


@cache
def shared_steps(language: str) -> LessonText:
    """Return what each kind of scene is told by where a lesson has no text of its own."""
    return lesson_text("what-if", language)


def read_text(folder: str, language: str) -> dict[str, Any]:
    """Return a file of texts as it stands."""
    path = files(__package__) / folder / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _step(read: dict[str, Any]) -> StepText:
    return StepText(
        short=read["short"],
        title=read["title"],
        why=joined(read["why"]),
        client=EndText(**read["client"]) if "client" in read else _NO_TEXT,
        server=EndText(**read["server"]) if "server" in read else _NO_TEXT,
        notes=read.get("notes", {}),
        inside=read.get("inside", {}),
        question=_question(read["question"]) if "question" in read else None,
        more=joined(read.get("more", "")),
        figure=tuple(read.get("figure", "").strip("\n").splitlines()),
    )


def _question(read: dict[str, Any]) -> Question:
    return Question(
        ask=joined(read["ask"]),
        choices=tuple(read.get("choices", ())),
        right=str(read["right"]),
        because=tuple(joined(each) for each in read["because"]),
        section=read["section"],
    )


def _pane(read: dict[str, Any]) -> PaneText:
    rows = tuple((name, text) for name, text in read["rows"])
    return PaneText(read["title"], rows, read["section"])


def joined(text: str) -> str:
    """Return a paragraph without the line breaks of the file."""
    return " ".join(text.split())
