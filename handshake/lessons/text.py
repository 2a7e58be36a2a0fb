"""Reads the text of lessons: one TOML file for each lesson and language, one for all screens."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

LANGUAGES: Final = ("en", "ko")


@dataclass(frozen=True, slots=True)
class EndText:
    """What is said of one end in one step."""

    title: str
    """Which socket it is."""

    app: str
    """What its program does."""

    knows: str
    """What it knows now."""


@dataclass(frozen=True, slots=True)
class StepText:
    """What is said in one step."""

    short: str
    """Its name where all steps stand in one line."""

    title: str
    why: str
    client: EndText
    server: EndText
    notes: dict[str, str]
    """Beside the header's rows, by field."""

    inside: dict[str, str]
    """Inside the header's rows, by field."""


@dataclass(frozen=True, slots=True)
class PaneText:
    """What is said of one segment where a screen is wide."""

    title: str
    rows: tuple[tuple[str, str], ...]
    section: str
    """Where RFC 9293 says so."""


@dataclass(frozen=True, slots=True)
class LessonText:
    """All that is said in one lesson, in one language."""

    title: str
    steps: dict[str, StepText]
    panes: tuple[PaneText, ...]
    """One for each segment, in order."""


@dataclass(frozen=True, slots=True)
class FieldText:
    """What is said of one field of a header, whatever the lesson."""

    name: str
    label: str
    """Its name where little room is."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words of the screens themselves, in one language."""

    language: str
    screen: dict[str, str]
    fields: dict[str, FieldText]

    def __getitem__(self, name: str) -> str:
        return self.screen[name]

    @property
    def labels(self) -> dict[str, str]:
        """The names of the fields where little room is."""
        return {name: each.label for name, each in self.fields.items()}


@cache
def words(language: str) -> Words:
    """Return the words of the screens in one of `LANGUAGES`."""
    read = _read("words", language)
    fields = {
        name: FieldText(each["name"], each["label"], _joined(each["text"]))
        for name, each in read["fields"].items()
    }
    return Words(language, read["screen"], fields)


@cache
def lesson_text(name: str, language: str) -> LessonText:
    """Return what a lesson says in one of `LANGUAGES`."""
    read = _read(name, language)
    return LessonText(
        title=read["title"],
        steps={each: _step(text) for each, text in read["steps"].items()},
        panes=tuple(_pane(text) for text in read["segments"]),
    )


def _read(folder: str, language: str) -> dict[str, Any]:
    path = files(__package__) / folder / f"{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _step(read: dict[str, Any]) -> StepText:
    return StepText(
        short=read["short"],
        title=read["title"],
        why=_joined(read["why"]),
        client=EndText(**read["client"]),
        server=EndText(**read["server"]),
        notes=read.get("notes", {}),
        inside=read.get("inside", {}),
    )


def _pane(read: dict[str, Any]) -> PaneText:
    rows = tuple((name, text) for name, text in read["rows"])
    return PaneText(read["title"], rows, read["section"])


def _joined(text: str) -> str:
    """Return a paragraph without the line breaks that it has in its file."""
    return " ".join(text.split())
