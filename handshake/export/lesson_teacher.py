"""A teacher's page of a lesson: the plan, what to ask when, the answers, typical wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handshake.export.lesson import LessonStep
    from handshake.lessons import Question
    from handshake.lessons.teacher import TeacherText


def teacher(
    name: str, title: str, steps: list[LessonStep], text: TeacherText, words: Mapping[str, str]
) -> str:
    """Return the page as Markdown."""
    command = f"`handshake demo {name}`"
    plan = (
        ("0-5", words["open"].format(opening=text.opening)),
        ("5-20", words["steps"].format(command=command)),
        ("20-28", words["try"].format(experiment=text.experiment)),
        ("28-36", words["sheet"].format(name=name)),
        ("36-40", words["close"].format(closing=text.closing)),
    )
    asked = [(number, each.question) for number, each in enumerate(steps, 1)]
    questions = [
        ("0", text.opening, text.opening_answer),
        *(
            (str(number), each.ask, f"**{_right(each.right, each.choices)}** {_why(each)}")
            for number, each in asked
            if each is not None
        ),
        (str(len(steps)), text.closing, text.closing_answer),
    ]
    wrong = [
        *(("", *each) for each in text.wrong),
        *(
            (str(number), choice, f"{reason} ({each.section})")
            for number, each in asked
            if each is not None
            for place, (choice, reason) in enumerate(
                zip(each.choices, each.because, strict=False), 1
            )
            if str(place) != each.right
        ),
    ]
    parts = [
        f"# {words['title']}: {title}",
        f"**{words['goal']}.** {text.goal}",
        f"## {words['plan']}",
        _table((words["minutes"], words["what"]), plan),
        f"## {words['ask']}",
        _table((words["step"], words["question"], words["answer"]), questions),
        f"## {words['wrong']}",
        _table((words["step"], words["says"], words["reply"]), wrong),
    ]
    return "\n\n".join(parts) + "\n"


def _right(right: str, choices: tuple[str, ...]) -> str:
    return choices[int(right) - 1] if choices else right


def _why(question: Question) -> str:
    return f"{question.says(question.right)} ({question.section})"


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in row)} |" for row in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
