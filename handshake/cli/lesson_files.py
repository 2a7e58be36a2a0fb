"""`handshake demo LESSON --export FILE`: a lesson as files, in the form that the ending tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.cli.lesson_text import languages
from handshake.errors import UsageError
from handshake.lessons import LESSONS, Lesson, opening, screen_text, text_of

if TYPE_CHECKING:
    from rich.text import Text

    from handshake.export.lesson import LessonStep

_WIDTH: Final = 80
ENDINGS: Final = (".md", ".html", ".svg", ".worksheet.md", ".teacher.md")
"""How the name of a written lesson may end."""


def check_lesson(name: str) -> None:
    """Check the name of a file before anything is written. Raises UsageError."""
    if not name.endswith(ENDINGS):
        raise UsageError("export.ending", name=name, endings=ENDINGS)


def export_lesson(taught: Lesson, lang: str, name: str, chosen: range) -> None:
    """Write a lesson to a file; as pictures, to one for each chosen step. Raises UsageError."""
    from handshake.capture.output import create

    check_lesson(name)
    language = languages(lang)[0]
    if name.endswith(".svg"):
        for path, picture in _pictures(taught, language, name, chosen):
            with create(path) as file:
                file.write(picture.encode())
        return
    page = _page(taught, language, name)
    with create(name) as file:
        file.write(page.encode())


def _page(taught: Lesson, language: str, name: str) -> str:
    from handshake.export import lesson as written
    from handshake.export.lesson_teacher import teacher
    from handshake.lessons.teacher import teacher_labels, teacher_text

    text, words = text_of(taught, language), screen_text(language)
    steps = _steps(taught, language, asks=name.endswith(".worksheet.md"))
    if name.endswith(".teacher.md"):
        if taught not in LESSONS:
            raise UsageError("demo.teacher", name=name)
        labels, more = teacher_labels(language), teacher_text(taught.name, language)
        return teacher(taught.name, text.title, steps, more, labels)
    # A ladder shows headers only by key.
    fields = [] if taught.played else [(each.name, each.text) for each in words.fields.values()]
    said = opening(taught, language)
    if name.endswith(".html"):
        return written.html(text.title, said, steps, words.screen, language, fields)
    if name.endswith(".worksheet.md"):
        return written.worksheet(text.title, steps, words.screen)
    return written.markdown(text.title, said, steps, words.screen, fields)


def _drawing(taught: Lesson, language: str, index: int, *, asks: bool = False) -> list[Text]:
    """Return the picture of a step; where it asks, without what the answer will show."""
    from handshake.view.lesson import LessonScreen, Place
    from handshake.view.lesson_ladder import LadderLessonScreen

    kind = LadderLessonScreen if taught.played else LessonScreen
    shown = taught.unanswered(index) if asks else taught
    screen = kind(Place(shown, index, ""), text_of(taught, language), screen_text(language))
    return screen.drawing(_WIDTH, index - 1 if index else None)


def _steps(taught: Lesson, language: str, *, asks: bool = False) -> list[LessonStep]:
    from handshake.export.lesson import LessonStep

    steps = []
    for index, scene in enumerate(taught.scenes):
        step = text_of(taught, language).steps[scene.name]
        hides = asks and step.question is not None
        rows = _drawing(taught, language, index, asks=hides)
        drawing = tuple(row.plain.rstrip() for row in rows)
        paragraphs = (step.why, *([step.more] if step.more else []))
        steps.append(LessonStep(step.title, drawing, paragraphs, step.question))
    return steps


def _pictures(taught: Lesson, language: str, name: str, chosen: range) -> list[tuple[str, str]]:
    """Return each picture with its name: that of the file, with the number of the step in it."""
    from handshake.export.lesson_svg import step_picture
    from handshake.view.glyphs import UNICODE
    from handshake.view.layout import line
    from handshake.view.lesson import paragraph

    text, words = text_of(taught, language), screen_text(language)
    found = []
    for index in chosen:
        step = text.steps[taught.scenes[index].name]
        title = f"{text.title}: {index + 1}. {step.title}"
        rows = [line((title, "title")), line(), *_drawing(taught, language, index), line()]
        rows += paragraph(words["why"], step.why, _WIDTH, "why", UNICODE)
        number = "" if len(chosen) == 1 else f"-{index + 1:02}"
        path = f"{name.removesuffix('.svg')}{number}.svg"
        found.append((path, step_picture(title, rows, language)))
    return found
