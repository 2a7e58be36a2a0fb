"""Lessons as files: everything in them, nothing from elsewhere, and text that stays text."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from handshake.export.lesson import LessonStep, html, in_columns, markdown, worksheet
from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    Lesson,
    Question,
    find_lesson,
    lesson_text,
    screen_text,
)
from handshake.lessons.teacher import teacher_labels, teacher_text
from tests.cli import preloaded

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '</pre><script>alert(1)</script> & "quoted"'
QUESTION = Question("Which?", ("one", HOSTILE), "2", ("no", "yes"), "RFC 9293 3.4")
NUMBER = Question("How many?", (), "7", ("seven",), "RFC 9293 3.4")
STEPS = [
    LessonStep(HOSTILE, ("a line", HOSTILE), ("Told.",), QUESTION),
    LessonStep("Two", (), ("More.",), NUMBER),
]
WORDS = screen_text("en").screen


class Page(HTMLParser):
    """What stands in a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.outside: list[str] = []
        self.data = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.outside += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.data += data


def test_a_page_is_whole_and_asks_for_nothing_from_elsewhere() -> None:
    text = html("A <title>", ["Intro.", "Signs."], STEPS, WORDS, "en")
    page = Page(text)
    assert page.open == []
    assert page.outside == []
    assert "http" not in text.replace("http-equiv=", "")
    assert page.seen.count("script") == 1
    assert page.seen.count("section") == 2
    assert HOSTILE in page.data


def test_markdown_and_a_worksheet() -> None:
    read = markdown("Title", ["Intro.", "Signs."], STEPS, WORDS)
    assert read.startswith("# Title\n\nIntro.\n\nSigns.\n\n## 1. ")
    assert "<details><summary>Answer</summary>\n\n7. seven (RFC 9293 3.4)" in read
    blank, _, key = worksheet("Title", STEPS, WORDS).partition("page-break-after")
    assert "[ ] 1. one" in blank
    assert "seven" not in blank
    assert "2. **7** seven (RFC 9293 3.4)" in key


def test_a_hangul_syllable_takes_two_columns_of_a_drawing() -> None:
    wide = '<span class="wide">소</span><span class="wide">켓</span>'
    assert in_columns("│ 소켓 <fd> │") == f"│ {wide} &lt;fd&gt; │"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worksheet_does_not_show_which_state_changes(language: str, tmp_path: Path) -> None:
    path = tmp_path / "it.worksheet.md"
    args = ("demo", "connect", "--lang", language, "--export", str(path))
    assert preloaded.run(args, {**os.environ}).returncode == 0
    assert not re.search(r"ESTAB(LISHED)? ", path.read_text("utf-8").partition("page-break")[0])
    scene = find_lesson("connect").unanswered(6).scenes[6]
    assert scene.client.before == scene.client.after
    assert [str(row).split()[0] for row in scene.sockets[0]] == ["SYN-SENT"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_lesson_is_written(lesson: Lesson, language: str, tmp_path: Path) -> None:
    text = lesson_text(lesson.name, language)
    for ending in ("md", "html", "worksheet.md"):
        path = tmp_path / f"lesson.{ending}"
        found = preloaded.run(
            ("demo", lesson.name, "--lang", language, "--export", str(path)), {**os.environ}
        )
        assert (found.returncode, found.stderr, found.stdout) == (0, "", "")
        written = path.read_text("utf-8")
        assert text.title in written
        if ending in ("md", "html"):
            explained = screen_text(language).fields["window"].text in written
            assert explained == (not lesson.played)
        if ending == "html":
            assert Page(written).seen.count("section") == len(lesson.scenes)
            assert f'lang="{language}"' in written
        elif ending == "md":
            assert written.count("\n## ") == len(lesson.scenes) + (not lesson.played)


def test_another_ending_is_an_error() -> None:
    found = preloaded.run(("demo", "loss", "--export", "lesson.pdf"), {**os.environ})
    assert found.returncode == 2
    assert found.stderr == (
        "error: --export 'lesson.pdf': the name must end in .md, .html, .svg, .worksheet.md"
        " or .teacher.md\n"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_lesson_has_a_teachers_page(lesson: Lesson, language: str, tmp_path: Path) -> None:
    path = tmp_path / "x.teacher.md"
    args = ("demo", lesson.name, "--lang", language, "--export", str(path))
    assert preloaded.run(args, {**os.environ}).returncode == 0
    page, text = path.read_text("utf-8"), teacher_text(lesson.name, language)
    assert page.startswith(f"# {teacher_labels(language)['title']}: ")
    assert "| 36-40 | " in page
    for each in (text.goal, text.opening, text.closing_answer, *(says for says, _ in text.wrong)):
        assert each in page
    for step in lesson_text(lesson.name, language).steps.values():
        if step.question is not None:
            assert step.question.ask in page
            assert step.question.section in page


def test_each_step_as_a_picture(tmp_path: Path) -> None:
    args = ("demo", "loss", "--lang", "ko", "--export", str(tmp_path / "x.svg"))
    assert preloaded.run(args, {**os.environ}).returncode == 0
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == [f"x-{number:02}.svg" for number in range(1, 13)]
    picture = (tmp_path / "x-03.svg").read_text("utf-8")
    shown = " ".join(ElementTree.fromstring(picture).itertext())
    assert "세 번째 SYN이 도착한다" in shown
    assert "SYN-RECV 0 0 198.51.100.7:80" in " ".join(shown.split())
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    preloaded.run((*args, "--step", "3"), {**os.environ})
    assert (tmp_path / "x.svg").read_text("utf-8") == picture


def test_a_what_if_has_no_teachers_page(tmp_path: Path) -> None:
    args = ("demo", "--drop", "syn", "--export", str(tmp_path / "x.teacher.md"))
    found = preloaded.run(args, {**os.environ})
    assert found.returncode == 2
    assert "a what-if has no teacher's page" in found.stderr
