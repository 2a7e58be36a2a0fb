"""The lessons after the first: steps, texts and questions in both languages."""

from __future__ import annotations

import pytest

from handshake.lessons import LANGUAGES, LESSONS, Lesson, Moment, lesson_text
from handshake.lessons.ss import ss_line
from handshake.tcp import ControlBlock, Endpoint, Observed, State
from handshake.tracker import Tracker

LADDERS = [each for each in LESSONS if each.played]


@pytest.mark.parametrize("lesson", LADDERS, ids=lambda lesson: lesson.name)
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


def test_what_ss_shows() -> None:
    client, server = Endpoint.of("192.0.2.10", 49152), Endpoint.of("198.51.100.7", 80)
    listening = ControlBlock(local=server, state=State.LISTEN, passive=True)
    assert ss_line(listening).split() == ["LISTEN", "0", "128", "198.51.100.7:80", "0.0.0.0:*"]
    assert ss_line(ControlBlock(local=client, remote=server)) == ""
    assert ss_line(None) == ""
