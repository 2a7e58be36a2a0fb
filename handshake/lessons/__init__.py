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

__all__ = [
    "LANGUAGES",
    "LESSONS",
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
    "find_lesson",
    "lesson_text",
    "screen_text",
]

LESSONS: Final = (CONNECT, *COURSE)
"""All lessons, in the recommended order."""


def find_lesson(name: str) -> Lesson:
    """Return the lesson with this name. Raises UsageError if there is none."""
    for lesson in LESSONS:
        if lesson.name == name:
            return lesson
    raise UsageError("demo.lesson", name=name, lessons=[lesson.name for lesson in LESSONS])
