"""Lesson 1: what stands in both sockets at each of its nine steps."""

from __future__ import annotations

import subprocess
import sys

import pytest

from handshake.errors import UsageError
from handshake.events import Change, Established, OptionsNegotiated, SynAckSent, SynSent
from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    Lesson,
    Moment,
    find_lesson,
    lesson_text,
    screen_text,
)
from handshake.tcp import ControlBlock

CONNECT = find_lesson("connect")


def text(change: Change) -> str:
    block = change.after
    assert isinstance(block, ControlBlock)
    return f"{block.state} {block.remote or 'nobody'} {block.snd.nxt} {block.rcv.nxt}"


def test_the_two_sockets_step_by_step() -> None:
    assert [(scene.name, text(scene.client), text(scene.server)) for scene in CONNECT.scenes] == [
        ("socket", "CLOSED nobody None None", "CLOSED nobody None None"),
        ("listen", "CLOSED nobody None None", "LISTEN nobody None None"),
        ("connect", "CLOSED 198.51.100.7:80 None None", "LISTEN nobody None None"),
        ("syn", "SYN-SENT 198.51.100.7:80 1001 None", "LISTEN nobody None None"),
        ("syn-arrives", "SYN-SENT 198.51.100.7:80 1001 None", "LISTEN nobody None None"),
        (
            "syn-ack",
            "SYN-SENT 198.51.100.7:80 1001 None",
            "SYN-RECEIVED 192.0.2.10:49152 5001 1001",
        ),
        (
            "syn-ack-arrives",
            "ESTABLISHED 198.51.100.7:80 1001 5001",
            "SYN-RECEIVED 192.0.2.10:49152 5001 1001",
        ),
        (
            "ack",
            "ESTABLISHED 198.51.100.7:80 1001 5001",
            "SYN-RECEIVED 192.0.2.10:49152 5001 1001",
        ),
        (
            "established",
            "ESTABLISHED 198.51.100.7:80 1001 5001",
            "ESTABLISHED 192.0.2.10:49152 5001 1001",
        ),
    ]


def test_each_scene_begins_where_the_one_before_it_ended() -> None:
    # What a segment taught its receiver shows once it has arrived, and not before.
    for earlier, later in zip(CONNECT.scenes, CONNECT.scenes[1:], strict=False):
        assert later.client.before == earlier.client.after
        assert later.server.before == earlier.server.after or later.name == "syn-ack"


def test_nothing_is_sent_before_the_syn() -> None:
    assert [scene.segment for scene in CONNECT.scenes[:3]] == [None] * 3
    assert {scene.moment for scene in CONNECT.scenes[:3]} == {Moment.CALL}


def test_the_segments_are_what_a_kernel_would_send() -> None:
    segments = [scene.segment for scene in CONNECT.scenes if scene.moment is Moment.LEAVES]
    assert [segment.pack().hex(" ", 4) for segment in segments if segment] == [
        "c0000050 000003e8 00000000 a002faf0 81390000 020405b4 0402080a 00001b58 00000000 01030307",
        "0050c000 00001388 000003e9 a012fe88 46e00000 020405b4 0402080a 00002328 00001b58 01030307",
        "c0000050 000003e9 00001389 801001f6 72230000 0101080a 00001b74 00002328",
    ]


def test_the_tracker_infers_nothing_and_finds_a_clean_handshake() -> None:
    steps = [scene.step for scene in CONNECT.scenes if scene.moment is Moment.LEAVES]
    assert [[type(event) for event in step.events] for step in steps if step] == [
        [SynSent],
        [SynAckSent, OptionsNegotiated],
        [Established],
    ]
    assert not any(step.inferred for step in steps if step)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_scene_has_its_text(lesson: Lesson, language: str) -> None:
    text = lesson_text(lesson.name, language)
    assert list(text.steps) == [scene.name for scene in lesson.scenes]
    segments = [scene.segment for scene in lesson.scenes if scene.moment is Moment.LEAVES]
    assert len(text.panes) == (0 if lesson.played else len(segments))
    assert screen_text(language).fields.keys() == screen_text("en").fields.keys()
    assert screen_text(language).screen.keys() == screen_text("en").screen.keys()
    for step in text.steps.values():
        assert {*step.notes, *step.inside} <= screen_text("en").fields.keys()


def test_an_unknown_lesson() -> None:
    with pytest.raises(UsageError, match="unknown lesson 'tls'; available: connect"):
        find_lesson("tls")


def test_lessons_draw_nothing_and_load_nothing_heavy() -> None:
    code = (
        "import sys, handshake.lessons;"
        "print([name for name in ('rich', 'scapy', 'typer') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
