"""What `demo` teaches: scenes that the tracker makes of segments, and text apart from the code."""

from __future__ import annotations

from typing import Final

from handshake.errors import UsageError
from handshake.lessons.connect import CONNECT
from handshake.lessons.scene import Lesson, Moment, Scene
from handshake.lessons.text import (
    LANGUAGES,
    EndText,
    FieldText,
    LessonText,
    PaneText,
    StepText,
    Words,
    lesson_text,
    words,
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
    "Scene",
    "StepText",
    "Words",
    "find",
    "lesson_text",
    "words",
]

LESSONS: Final = (CONNECT,)
"""All lessons, in the order in which they are best taken."""


def find(name: str) -> Lesson:
    """Return the lesson with this name. Raises UsageError where there is none."""
    for lesson in LESSONS:
        if lesson.name == name:
            return lesson
    names = ", ".join(lesson.name for lesson in LESSONS)
    raise UsageError(f"no lesson is called {name!r}; the lessons are: {names}")
