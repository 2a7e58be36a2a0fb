"""The lessons of `demo`: scenes computed by the tracker, and their text in TOML."""

from __future__ import annotations

from typing import Final

from handshake.errors import UsageError
from handshake.lessons.connect import CONNECT
from handshake.lessons.course import COURSE
from handshake.lessons.scene import Lesson, Moment, Scene
from handshake.lessons.text import (
    LANGUAGES,
    EndText,
    FieldText,
    LessonText,
    PaneText,
    Question,
    ScreenText,
    StepText,
    lesson_text,
    screen_text,
)
from handshake.lessons.what_if import NAME, WHAT_IF, Changes, drops, option, what_if
from handshake.lessons.what_if_text import what_if_text

__all__ = [
    "LANGUAGES",
    "LESSONS",
    "WHAT_IF",
    "Changes",
    "EndText",
    "FieldText",
    "Lesson",
    "LessonText",
    "Moment",
    "PaneText",
    "Question",
    "Scene",
    "ScreenText",
    "StepText",
    "drops",
    "find_lesson",
    "lesson_text",
    "number_of",
    "opening",
    "option",
    "screen_text",
    "text_of",
    "what_if",
]

LESSONS: Final = (CONNECT, *COURSE)
"""All lessons, in the recommended order."""


def number_of(lesson: Lesson) -> str:
    """Return the number of a lesson among all, `2/6`; `?` for what is no lesson of the course."""
    if lesson not in LESSONS:
        return "?"
    return f"{LESSONS.index(lesson) + 1}/{len(LESSONS)}"


def text_of(lesson: Lesson, language: str) -> LessonText:
    """Return the text of a lesson in one of `LANGUAGES`."""
    if lesson.name == NAME:
        return what_if_text(lesson, language)
    return lesson_text(lesson.name, language)


def opening(lesson: Lesson, language: str) -> tuple[str, ...]:
    """Return what a text to read begins with: an introduction, and what its signs mean."""
    if lesson not in LESSONS:
        return ()  # who asks "what if" has read the lesson
    text, words = text_of(lesson, language), screen_text(language)
    drawn = words["signs_ladder" if lesson.played else "signs_boxes"]
    signs = [words["signs"], drawn, words["signs_ss"]]
    block = [words["signs_block"]] if lesson.tables or not lesson.played else []
    table = [words["signs_knows"]] if lesson.tables else []
    return (*([text.intro] if text.intro else []), " ".join(signs), *block, *table)


def find_lesson(name: str) -> Lesson:
    """Return the lesson with this name. Raises UsageError if there is none."""
    for lesson in LESSONS:
        if lesson.name == name:
            return lesson
    raise UsageError("demo.lesson", name=name, lessons=[lesson.name for lesson in LESSONS])
