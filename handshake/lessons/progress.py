"""How far each lesson was read, and what was answered: kept in a file of the user's."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.lessons.scene import Lesson
    from handshake.lessons.text import LessonText

TASKS: Final = "your-turn"
"""Under what the tasks are kept, beside the lessons."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one lesson was read."""

    step: int
    """The furthest step, from 1."""

    answers: dict[str, str]
    """What was answered last, by the name of the step."""

    def right(self, text: LessonText) -> int:
        """Return how many answers are right."""
        asked = ((text.steps.get(name), said) for name, said in self.answers.items())
        return sum(
            step is not None and step.question is not None and step.question.right == said
            for step, said in asked
        )


def done() -> dict[str, Progress]:
    """Return what is known, by the name of the lesson; nothing where it cannot be read."""
    # A user may have no home at all: RuntimeError.
    with suppress(OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError):
        read = json.loads(_path().read_text("utf-8"))
        return {
            str(name): Progress(int(each["step"]), {**each["answers"]})
            for name, each in read.items()
        }
    return {}


def keep(lesson: Lesson, furthest: int, answers: dict[int, str]) -> None:
    """Keep how far a lesson was read; nothing is said where it cannot be written."""
    known = done()
    before = known.get(lesson.name, Progress(0, {}))
    named = {lesson.scenes[number].name: said for number, said in answers.items()}
    known[lesson.name] = Progress(max(before.step, furthest + 1), before.answers | named)
    _write(known)


def _write(known: dict[str, Progress]) -> None:
    told = {name: {"step": each.step, "answers": each.answers} for name, each in known.items()}
    with suppress(OSError, RuntimeError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", "utf-8")


def keep_tasks(tasks: Iterable[str]) -> None:
    """Keep which tasks of `your turn` are done."""
    known = done()
    _write({**known, TASKS: Progress(len({*tasks}), dict.fromkeys(tasks, "done"))})


def done_tasks() -> tuple[str, ...]:
    """Return the tasks of `your turn` that are done."""
    found = done().get(TASKS)
    return () if found is None else tuple(found.answers)


def _path() -> Path:
    """Return where it is kept, by the XDG base directory specification."""
    state = os.environ.get("XDG_STATE_HOME", "")
    base = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    return base / "handshake" / "lessons.json"
