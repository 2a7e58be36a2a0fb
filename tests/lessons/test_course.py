"""The lessons after the first: steps, texts and questions in both languages."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest

from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    Changes,
    Lesson,
    Moment,
    find_lesson,
    lesson_text,
    opening,
    what_if,
)
from handshake.lessons.ss import listening_row, socket_row
from handshake.tcp import ControlBlock, Endpoint, Observed, SendSpace, Seq, State
from handshake.tracker import Tracker

LADDERS = [each for each in LESSONS if each.played]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_both_languages_have_the_same_steps_and_questions(lesson: Lesson) -> None:
    assert 6 <= len(lesson.scenes) <= 15
    texts = [lesson_text(lesson.name, each).steps for each in LANGUAGES]
    for steps in texts:
        assert list(steps) == [scene.name for scene in lesson.scenes]
    asked = 0
    for one, other in zip(*(each.values() for each in texts), strict=True):
        assert (one.question is None) == (other.question is None)
        if one.question is None or other.question is None:
            continue
        asked += 1
        for question in (one.question, other.question):
            assert question.section.startswith("RFC ")
            assert len(question.because) == max(1, len(question.choices))
            if question.choices:
                assert 1 <= int(question.right) <= len(question.choices) <= 4
        assert (one.question.right, one.question.section) == (
            other.question.right,
            other.question.section,
        )
        assert len(one.question.choices) == len(other.question.choices)
    assert asked >= 2


@pytest.mark.parametrize("lesson", LADDERS, ids=lambda lesson: lesson.name)
def test_a_number_to_type_stands_in_the_headers(lesson: Lesson) -> None:
    for scene in lesson.scenes:
        question = lesson_text(lesson.name, "en").steps[scene.name].question
        if question is None or question.choices or int(question.right) < 1000:
            continue
        headers = [each.segment for each in lesson.played if each.part == scene.part]
        numbers = {int(n) for seg in headers if seg for n in (seg.seq, seg.ack) if n is not None}
        assert int(question.right) in numbers


@pytest.mark.parametrize("lesson", LADDERS, ids=lambda lesson: lesson.name)
def test_a_tracker_sees_what_the_hosts_did(lesson: Lesson) -> None:
    """What an observer concludes from the segments that arrived is what both ends wrote down."""
    for part in dict.fromkeys(scene.part for scene in lesson.played):
        tracker = Tracker()
        step = None
        scenes = [scene for scene in lesson.played if scene.part == part]
        for scene in scenes:
            if scene.moment is Moment.ARRIVES and scene.segment is not None:
                step = tracker.feed(Observed(scene.segment, scene.at, checksum_ok=True))
        if step is None or step.receiver.after is None:
            continue
        last = [scene for scene in scenes if scene.moment is Moment.ARRIVES][-1]
        found = last.client.after, last.server.after
        seen = step.client.after, step.server.after
        states = [None if each is None else each.state for each in found]
        concluded = [None if each is None else each.state for each in seen]
        if None not in states:
            assert concluded == states, part


def test_what_if_nothing_were_lost_is_the_first_lesson() -> None:
    found = [each.segment for each in what_if(Changes()).played if each.moment is Moment.LEAVES]
    first = [each.segment for each in find_lesson("connect").scenes if each.moment is Moment.LEAVES]
    assert [str(each) for each in found] == [str(each) for each in first]
    # The clocks of the first lesson are rounder.
    kinds = [
        [[option.kind for option in each.options] for each in segments if each]
        for segments in (found, first)
    ]
    assert kinds[0] == kinds[1]
    assert [each.window for each in found if each] == [each.window for each in first if each]


def test_what_ss_shows() -> None:
    client, server = Endpoint.of("192.0.2.10", 49152), Endpoint.of("198.51.100.7", 80)
    listening = str(listening_row(server.port, 2, 128))
    assert listening.split() == ["LISTEN", "2", "128", "0.0.0.0:80", "0.0.0.0:*"]
    assert [*socket_row(ControlBlock(local=client, remote=server))] == []
    entry = ControlBlock(
        local=server,
        remote=client,
        state=State.SYN_RECEIVED,
        passive=True,
        snd=SendSpace(una=Seq(1)),
    )
    (row,) = socket_row(entry)
    assert (row.state, row.recv_q, row.send_q) == ("SYN-RECV", 0, 0)


def _korean() -> dict[str, str]:
    """Return the Korean texts, by file."""
    found = files("handshake.lessons")
    folders = [each for each in found.iterdir() if (each / "ko.toml").is_file()]
    return {each.name: (each / "ko.toml").read_text("utf-8") for each in folders}


def test_the_korean_texts_use_the_words_of_the_glossary() -> None:
    glossary = tomllib.loads((files("handshake.lessons") / "glossary.toml").read_text("utf-8"))
    texts = _korean()
    assert {
        "connect",
        "screens",
        "what-if",
        "your-turn",
        "teacher",
        *(each.name for each in LADDERS),
    } == set(texts)
    instead = [*glossary["instead"], *glossary["instead-in-lessons"]]
    for name, text in texts.items():
        wrong = [each for each in instead if each in text]
        assert wrong == [], name
    whole = " ".join("\n".join(texts.values()).split())
    assert [each for each in glossary["terms"].values() if each not in whole] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chapter_says_what_its_signs_mean(language: str) -> None:
    for lesson in LESSONS:
        said = " ".join(opening(lesson, language))
        signs = {"Recv-Q", "Send-Q", ">", "╳" if lesson.played else "→"}
        if lesson.tables or not lesson.played:
            signs |= {"*", "ISS", "IRS", "NXT"}
        if lesson.tables:
            signs |= {"UNA", "WND", "mss", "ss -tin", "netstat -tan"}
        assert {each for each in signs if each not in said} == set()


def test_a_star_marks_all_that_a_step_has_changed() -> None:
    """What happens between two steps belongs to the later one."""
    lesson = find_lesson("control")
    names = [scene.name for scene in lesson.scenes]
    client, server = lesson.changes(names.index("usual.connect"))
    assert (client.before, server.changed) == (None, ())
    client, server = lesson.changes(names.index("usual.data"))
    assert set(client.changed) == {"snd.nxt"}
    client, server = lesson.changes(names.index("usual.data-2-arrives"))
    assert {"snd.una", "snd.wnd", "rcv.nxt"} <= set(client.changed)
    assert "snd.nxt" in server.changed
    # A half-open entry is new as a whole: the listening socket stays as it is.
    _, server = lesson.changes(names.index("usual.syn-arrives"))
    assert server.before is None
