"""A lesson as a file: Markdown to read or print, HTML to step through, a worksheet with its key."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handshake.lessons import Question


@dataclass(frozen=True, slots=True)
class LessonStep:
    """One step of a lesson, ready to be written."""

    title: str
    drawing: tuple[str, ...]
    """The lines of the picture, and what `ss` shows."""

    paragraphs: tuple[str, ...]
    question: Question | None


def markdown(title: str, intro: str, steps: list[LessonStep], words: Mapping[str, str]) -> str:
    """Return a lesson as Markdown: answers stand behind a fold."""
    parts = [f"# {title}", *([intro] if intro else [])]
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
    title: str, intro: str, steps: list[LessonStep], words: Mapping[str, str], language: str
) -> str:
    """Return a lesson as one file for a browser: a step at a time, by keyboard, without network."""
    sections = [_section(number, len(steps), step, words) for number, step in enumerate(steps, 1)]
    opening = f"<p>{escape(intro)}</p>" if intro else ""
    return _PAGE.format(
        language=language,
        title=escape(title),
        intro=opening,
        steps="\n".join(sections),
        back=escape(words["key_back"]),
        step=escape(words["key_step"]),
    )


def _section(number: int, count: int, step: LessonStep, words: Mapping[str, str]) -> str:
    drawing = escape("\n".join(step.drawing))
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


_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 52rem; margin: 1rem auto; }}
body {{ padding: 0 1rem; }}
pre {{ font: 0.85rem/1.25 monospace; overflow-x: auto; border: 1px solid; padding: 0.6rem; }}
button {{ display: block; font: inherit; text-align: left; margin: 0.25rem 0; }}
nav button {{ display: inline-block; }}
.js section {{ display: none; }}
.js section.here {{ display: block; }}
.said {{ font-weight: bold; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{intro}
<nav aria-label="{step}"><button type="button" id="back">← {back}</button>
<button type="button" id="on">{step} →</button></nav>
{steps}
</main>
<script>
const steps = [...document.querySelectorAll("section")];
let here = 0;
function show(number) {{
  here = Math.max(0, Math.min(number, steps.length - 1));
  steps.forEach((each, place) => each.classList.toggle("here", place === here));
  steps[here].focus();
}}
document.documentElement.classList.add("js");
document.getElementById("back").onclick = () => show(here - 1);
document.getElementById("on").onclick = () => show(here + 1);
addEventListener("keydown", (event) => {{
  if (event.target.tagName === "INPUT") return;
  if (event.key === "ArrowRight") show(here + 1);
  if (event.key === "ArrowLeft") show(here - 1);
  if (event.key === "Home") show(0);
  if (event.key === "End") show(steps.length - 1);
  if (/^[1-9]$/.test(event.key)) {{
    steps[here].querySelectorAll(".ask button")[Number(event.key) - 1]?.click();
  }}
}});
document.querySelectorAll(".ask button").forEach((each) => {{
  each.onclick = () => {{
    each.parentNode.querySelector(".said").textContent = each.dataset.says;
  }};
}});
document.querySelectorAll(".ask input").forEach((each) => {{
  each.onchange = () => {{
    const yes = Number(each.value) === Number(each.dataset.right);
    const said = each.closest(".ask").querySelector(".said");
    said.textContent = (yes ? each.dataset.yes : each.dataset.no) + " " + each.dataset.says;
  }};
}});
show(0);
</script>
</body>
</html>
"""
