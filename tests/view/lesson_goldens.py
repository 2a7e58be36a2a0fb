"""A step of each lesson as four screens; `python -m tests.view.lesson_goldens` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from handshake.cli.lesson import LessonPlayer
from handshake.lessons import LANGUAGES, find_lesson
from handshake.view.glyphs import UNICODE

STEPS: Final = {
    "connect": 6,
    "control": 3,
    "loss": 9,
    "refused": 4,
    "close": 4,
    "half-open": 8,
    "options": 2,
    "numbers": 7,
    "simultaneous": 3,
    "fast-open": 5,
}
"""The step of each lesson, from 0; its question, if it has one, is answered rightly."""

SIZES: Final = ((80, 24), (120, 40))


def place(name: str) -> Path:
    """Return the file of a lesson."""
    return Path(__file__).parent / "golden" / f"lesson-{name}.txt"


def screens(name: str) -> str:
    """Return the step in both languages and sizes, each below a line that names it."""
    lesson, parts = find_lesson(name), []
    for language in LANGUAGES:
        for width, height in SIZES:
            player = LessonPlayer(lesson, language, UNICODE, STEPS[name])
            player.draw(width, height)
            question = player.question
            if question is not None:
                for key in (*question.right, *(() if question.choices else ("enter",))):
                    player.press(key)
                if not lesson.played:
                    player.press("right")
            view = player.draw(width, height)
            rows = [line.plain.rstrip() for line in view.lines(width)]  # type: ignore[union-attr]
            parts.append("\n".join([f"=== {language} {width}x{height}", *rows]))
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    for each in STEPS:
        place(each).write_text(screens(each), "utf-8")
