"""The text of a teacher's page: a goal, what to ask before and after, what students get wrong."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from handshake.lessons.text import read_text


@dataclass(frozen=True, slots=True)
class TeacherText:
    """What a teacher's page has besides the lesson itself."""

    goal: str
    opening: str
    opening_answer: str
    experiment: str
    closing: str
    closing_answer: str
    wrong: tuple[tuple[str, str], ...]
    """What a student may say, and what to reply."""


@cache
def teacher_text(lesson: str, language: str) -> TeacherText:
    """Return the text for a lesson in one of `LANGUAGES`."""
    read = {**read_text("teacher", language)[lesson]}
    wrong = tuple((says, reply) for says, reply in read.pop("wrong"))
    return TeacherText(**read, wrong=wrong)


@cache
def teacher_labels(language: str) -> dict[str, str]:
    """Return the labels of the page."""
    return dict(read_text("teacher", language)["page"])
