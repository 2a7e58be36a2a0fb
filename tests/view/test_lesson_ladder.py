"""The ladder of a lesson: every step fits the screen, with its question and after its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.cells import cell_len

from handshake.cli.lesson import LessonPlayer
from handshake.events import Role
from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    Lesson,
    Moment,
    find_lesson,
    lesson_text,
    screen_text,
)
from handshake.lessons.live_event import LiveEvent, LiveScene
from handshake.tcp import Seq
from handshake.view.glyphs import ASCII, UNICODE, Glyphs
from handshake.view.lesson import Place
from handshake.view.lesson_ladder import LadderLessonScreen
from handshake.view.lesson_small import SmallLessonScreen

KEYS = (("1-4", "answer"), ("←/→", "step"), ("q", "quit"))
LADDERS = [each for each in LESSONS if each.played]


def screen(
    lesson: Lesson, index: int, language: str, glyphs: Glyphs = UNICODE, answer: str | None = None
) -> LadderLessonScreen:
    place = Place(lesson, index, "2/4", keys=KEYS)
    texts = lesson_text(lesson.name, language), screen_text(language)
    return LadderLessonScreen(place, *texts, glyphs=glyphs, answer=answer)


def drawn(view: LadderLessonScreen, width: int = 80) -> list[str]:
    return [line.plain.rstrip() for line in view.lines(width)]


def test_a_lost_syn() -> None:
    assert drawn(screen(find_lesson("loss"), 2, "en")) == [
        " 2/4  When a segment is lost                   step 3/12 · the third SYN arrives",
        "time, ms  CLIENT                                                    SERVER",
        "     0.0  SYN-SENT     the client's program calls connect()         LISTEN",
        "     0.0  SYN-SENT     ── SYN seq=1000 ───────────╳                 LISTEN",
        "                                   1 s later",
        "  1000.0  SYN-SENT     ── SYN seq=1000 ───────────╳                 LISTEN",
        "                                   1 s later",
        "  2000.0> SYN-SENT     ── SYN seq=1000 ──────────────────────────▶  SYN-RECEIVED",
        "── ss -tan ─────────────────────────────────────────────────────────────────────",
        " CLIENT     SYN-SENT      0     1  192.0.2.10:49152    198.51.100.7:80",
        " SERVER     LISTEN        0   128  0.0.0.0:80          0.0.0.0:*",
        "            SYN-RECV      0     0  198.51.100.7:80     192.0.2.10:49152",
        "────────────────────────────────────────────────────────────────────────────────",
        " Why The third SYN arrives after 2 s. For the server it is the first one: it",
        " never saw the other two. It makes a half-open entry, with the client's",
        " address, port and sequence number, and its state is SYN-RECEIVED.",
        *[""] * 6,
        " ● ● ◉ arrives ○ ○ ○ ○ ○ ○ ○ ○ ○",
        " 1-4 answer  ←/→ step  q quit",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lesson", LADDERS, ids=lambda lesson: lesson.name)
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_step_fits_and_nothing_is_cut(lesson: Lesson, language: str, glyphs: Glyphs) -> None:
    steps = lesson_text(lesson.name, language).steps
    for index, scene in enumerate(lesson.scenes):
        question = steps[scene.name].question
        answers = [None, "1", "7", *([question.right] if question else [])]
        for answer in answers if question and not question.choices else answers[:2]:
            for width in (80, 99, 120):
                view = screen(lesson, index, language, glyphs, answer)
                lines = drawn(view, width)
                assert len(lines) == 24
                assert max(map(cell_len, lines)) <= width
                assert not [line for line in lines if glyphs.ellipsis in line]
                # The explanation is whole: its last words are on the screen.
                if answer is not None or question is None:
                    last = glyphs.spell(steps[scene.name].why).split()[-1]
                    assert any(line.endswith(last) for line in lines), (scene.name, answer)
                if glyphs is ASCII and language == "en":
                    assert all(line.isascii() for line in lines)


def test_questions_are_answered_by_digits_and_a_number_by_enter() -> None:
    player = LessonPlayer(find_lesson("loss"), "en", UNICODE)
    player.press("right")
    for key in ("1", "0", "0", "9", "backspace", "0", "enter"):
        assert player.press(key)
    assert (player.index, player.answers, player.right) == (1, {1: "1000"}, 1)
    for _ in range(3):
        player.press("right")
    player.press("1")
    assert (player.index, player.answers[4], player.right) == (4, "1", 1)
    player.press("3")  # it is answered: the first answer stays
    assert player.answers[4] == "1"
    player.press("left")
    assert (player.index, player.furthest) == (3, 4)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("language", [*LANGUAGES, "both"])
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_every_page_of_every_step_fits(
    lesson: Lesson, language: str, size: tuple[int, int]
) -> None:
    player = LessonPlayer(lesson, language, UNICODE)
    width, height = size
    shown = []
    for index, scene in enumerate(lesson.scenes):
        player.press(":")
        for key in (*str(index + 1), "enter"):
            player.press(key)
        question = lesson_text(lesson.name, "en").steps[scene.name].question
        for key in ("w", "?", "?", *((question.right, "enter") if question else ())):
            view = player.draw(width, height)
            shown.append([line.plain.rstrip() for line in view.lines(width)])  # type: ignore[union-attr]
            for digit in key if key.isdecimal() else (key,):
                player.press(digit)
    for lines in shown:
        assert len(lines) == height
        assert max(map(cell_len, lines)) <= width
        assert lines[-1].rstrip()
        assert not [line for line in lines[:-1] if UNICODE.ellipsis in line]


def test_a_question_may_be_left_unanswered() -> None:
    player = LessonPlayer(find_lesson("loss"), "ko", UNICODE, first=1)
    player.press("enter")
    assert (player.index, player.answers) == (2, {})


def test_a_small_screen_asks_and_answers_too() -> None:
    player = LessonPlayer(find_lesson("loss"), "en", UNICODE, first=4)

    def shown() -> str:
        view = player.draw(60, 20)
        assert isinstance(view, SmallLessonScreen)
        return "\n".join(line.plain for line in view.lines(60))

    assert "3 both: each has a timer" in shown()
    player.press("1")
    assert "Not so." in shown()
    assert "3 both: each has a timer" not in shown()


def test_the_fields_of_the_header_are_explained_and_those_of_the_kernel_shown() -> None:
    lesson = find_lesson("loss")
    scene = lesson.scenes[0]
    assert scene.segment is not None
    sent = replace(scene.segment, seq=Seq(2718281828))
    live = LiveScene(LiveEvent("syn", "syn", 0, Moment.LOST, Role.CLIENT, sent))
    place = Place(lesson, 0, "3/10", chosen="seq")
    text, words = lesson_text("loss", "en"), screen_text("en")
    alone = LadderLessonScreen(place, text, words)
    both = replace(alone, live=live)
    shown = ["\n".join(row.plain for row in each.lines(80)) for each in (alone, both)]
    assert ["Sequence Number  1000" in each for each in shown] == [True, True]
    assert ["Sequence Number  2718281828" in each for each in shown] == [False, True]
    assert all(" Sequence Number: The number of the first octet" in each for each in shown)
    assert [each.count("\n") + 1 for each in shown] == [24, 24]
