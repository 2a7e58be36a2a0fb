"""A lesson as a file: Markdown to read or print, HTML to step through, a worksheet with its key."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from rich.cells import cell_len

from handshake.export.page import page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handshake.lessons import Question


@dataclass(frozen=True, slots=True)
class LessonStep:
    """One step of a lesson, ready to be written."""

    title: str
    drawing: tuple[str, ...]
    """The lines of the picture, and what `ss` shows."""

    paragraphs: tuple[str, ...]
    question: Question | None


def markdown(
    title: str,
    opening: Sequence[str],
    steps: list[LessonStep],
    words: Mapping[str, str],
    fields: Sequence[tuple[str, str]] = (),
) -> str:
    """Return a lesson as Markdown: answers behind a fold, at the end the fields of a header."""
    parts = [f"# {title}", *opening]
    for number, step in enumerate(steps, 1):
        parts.append(f"## {number}. {step.title}")
        parts.append("\n".join(["```", *step.drawing, "```"]))
        if step.question is not None:
            question = step.question
            parts.append(f"**{words['question']}** {question.ask}")
            parts += [f"{place}. {each}" for place, each in enumerate(question.choices, 1)]
            answer = f"{question.right}. {question.says(question.right)} ({question.section})"
            parts.append(f"<details><summary>{words['answer']}</summary>\n\n{answer}\n\n</details>")
        parts += step.paragraphs
    if fields:
        parts.append(f"## {words['all_fields']}")
        parts += [f"**{name}** {text}" for name, text in fields]
    return "\n\n".join(parts) + "\n"


def worksheet(title: str, steps: list[LessonStep], words: Mapping[str, str]) -> str:
    """Return the questions of a lesson with room to write, and the key on a page of its own."""
    asked = [step for step in steps if step.question is not None]
    parts, key = [f"# {title}"], [f"# {words['answer']}: {title}"]
    for number, step in enumerate(asked, 1):
        question = step.question
        assert question is not None
        parts.append(f"## {number}. {step.title}")
        parts.append("\n".join(["```", *step.drawing, "```"]))
        parts.append(question.ask)
        parts += [f"[ ] {place}. {each}" for place, each in enumerate(question.choices, 1)]
        parts.append("" if question.choices else "_" * 30)
        says = f"{question.says(question.right)} ({question.section})"
        key.append(f"{number}. **{question.right}** {says}")
    return "\n\n".join([*parts, '<div style="page-break-after: always"></div>', *key]) + "\n"


def html(
    title: str,
    opening: Sequence[str],
    steps: list[LessonStep],
    words: Mapping[str, str],
    language: str,
    fields: Sequence[tuple[str, str]] = (),
) -> str:
    """Return a lesson as one file for a browser: a step at a time, by keyboard, without network."""
    sections = [_section(number, len(steps), step, words) for number, step in enumerate(steps, 1)]
    paragraphs = "\n".join(f"<p>{escape(each)}</p>" for each in opening)
    names = ("page_back", "page_on", "key_step")
    back, on, step = (escape(words[each]) for each in names)
    body = (
        f"<main>\n<h1>{escape(title)}</h1>\n{paragraphs}\n"
        f'<nav aria-label="{step}"><button type="button" id="back">← {back}</button>\n'
        f'<button type="button" id="on">{on} →</button></nav>\n'
        f"{chr(10).join(sections)}\n{_explained(fields, words)}</main>"
    )
    styles, scripts = ("page.css", "lesson.css"), ("stepping.js", "lesson.js")
    return page(title, body, styles=styles, scripts=scripts, language=language)


def in_columns(text: str) -> str:
    """Return a drawing as markup in which a Hangul syllable takes two columns in any font."""
    return "".join(
        f'<span class="wide">{each}</span>' if cell_len(each) > 1 else escape(each) for each in text
    )


def _explained(fields: Sequence[tuple[str, str]], words: Mapping[str, str]) -> str:
    """Return what each field is for, to be opened."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in fields)
    title = escape(words["all_fields"])
    return f"<details><summary>{title}</summary><dl>{rows}</dl></details>\n" if rows else ""


def _section(number: int, count: int, step: LessonStep, words: Mapping[str, str]) -> str:
    drawing = in_columns("\n".join(step.drawing))
    told = "".join(f"<p>{escape(each)}</p>" for each in step.paragraphs)
    asked = "" if step.question is None else _form(number, step.question, words)
    return (
        f'<section aria-labelledby="t{number}" tabindex="-1">'
        f'<h2 id="t{number}">{number}/{count} · {escape(step.title)}</h2>'
        f'<pre tabindex="0" aria-label="{escape(step.title)}">{drawing}</pre>'
        f"{asked}{told}</section>"
    )


def _form(number: int, question: Question, words: Mapping[str, str]) -> str:
    says = [f"{each} ({question.section})" for each in question.because]
    right, wrong = escape(words["right"]), escape(words["wrong"])
    ask = f"<p><strong>{escape(words['question'])}</strong> {escape(question.ask)}</p>"
    if question.choices:
        buttons = "".join(
            f'<button type="button" data-says="'
            f'{right if str(place) == question.right else wrong} {escape(says[place - 1])}">'
            f"{place}. {escape(each)}</button>"
            for place, each in enumerate(question.choices, 1)
        )
    else:
        buttons = (
            f'<label>{escape(words["answer"])} <input inputmode="numeric" id="a{number}"'
            f' data-right="{escape(question.right)}" data-yes="{right}" data-no="{wrong}"'
            f' data-says="{escape(question.right)}: {escape(says[0])}"></label>'
        )
    return f'<div class="ask">{ask}{buttons}<p class="said" role="status"></p></div>'
