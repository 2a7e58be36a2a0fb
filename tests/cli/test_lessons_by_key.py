"""Every lesson on a terminal: all questions answered wrongly, then rightly, in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from handshake.lessons import LESSONS, Lesson, lesson_text, screen_text
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.lessons import Question

RIGHT, LEFT = "\x1b[C", "\x1b[D"
BY_DIGITS: Final = 10


def _wrong(question: Question) -> str:
    """Return the keys of a wrong answer."""
    if not question.choices:
        return f"{int(question.right) + 7}\r"
    return next(str(n) for n in range(1, BY_DIGITS) if str(n) != question.right)


def _walk(terminal: Terminal, lesson: Lesson, language: str, *, rightly: bool) -> None:
    """Answer every question, from the first step to the score."""
    words, text = screen_text(language), lesson_text(lesson.name, language)
    count = len(lesson.scenes)
    asked = [text.steps[scene.name].question for scene in lesson.scenes]
    for number, question in enumerate(asked, 1):
        terminal.see(f"{words['step']} {number}/{count}")
        if question is not None:
            terminal.see(f" {words['question']} ")
            right = question.right if question.choices else f"{question.right}\r"
            terminal.press(right if rightly else _wrong(question))
            terminal.see(words["right" if rightly else "wrong"])
            if not lesson.played:
                terminal.press(RIGHT)  # what the question hid
        terminal.press(RIGHT)
    many = sum(each is not None for each in asked)
    terminal.see(words["score"].format(right=many if rightly else 0, asked=many))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_lesson_from_the_first_step_to_the_score(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    count = len(lesson.scenes)
    with Terminal(["-m", "handshake", "demo", lesson.name, "--lang", "en"]) as terminal:
        _walk(terminal, lesson, "en", rightly=False)
        terminal.press("r")
        terminal.see(f"step 1/{count}")
        terminal.press("L")
        _walk(terminal, lesson, "ko", rightly=True)
        for press, see in (
            (":3\r", f"단계 3/{count}"),
            (LEFT, f"단계 2/{count}"),
            (" ", "재생 중"),
            (" ", f"단계 2/{count}"),
            ("?", f"demo {lesson.name}"),
            ("?", f"단계 2/{count}"),
            ("L", f"step 2/{count}"),
        ):
            terminal.press("\x1b" if press.startswith(":") else "")
            terminal.press(press)
            terminal.see(see)
        terminal.press("q")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before
