"""Each lesson as it was read: a step in both languages, at 80x24 and at 120x40."""

from __future__ import annotations

import pytest

from handshake.lessons import LESSONS, Lesson, find_lesson, lesson_text, screen_text
from handshake.lessons.live_event import LiveEvent, LivePart, LiveScene
from handshake.lessons.scene import Moment
from handshake.lessons.ss import SsRow
from handshake.view.glyphs import UNICODE
from handshake.view.lesson import Place
from handshake.view.lesson_ladder import LadderLessonScreen
from tests.view.lesson_goldens import STEPS, place, screens


def test_every_lesson_has_one() -> None:
    assert list(STEPS) == [each.name for each in LESSONS]


@pytest.mark.parametrize("name", STEPS)
def test_the_screens_are_as_they_were_read(name: str) -> None:
    assert screens(name) == place(name).read_text("utf-8")


def _seen(lesson: Lesson, index: int) -> LiveScene:
    """Return what is known if the kernel did all that the lesson says, but for one thing each."""
    scene = lesson.scenes[index]
    played = [each for each in lesson.played if each.part == scene.part]
    part = LivePart(ended=True)
    for each in played:
        name = each.name.rpartition(".")[2]
        assert each.by is not None
        segment = each.segment
        sockets = each.sockets
        if each is scene:
            assert segment is not None
            segment = segment.__class__(
                segment.source, segment.destination, segment.seq, segment.ack, segment.flags, 100
            )
            sockets = ((SsRow("SYN-SENT", 0, 1, "192.0.2.10:49152", "198.51.100.7:80"),), ())
        part.events.append(
            LiveEvent(scene.part, name, each.at, each.moment, each.by, segment, sockets)
        )
    event = part.find(scene)
    assert event is not None
    return LiveScene(event, part.differences(scene, played))


def test_every_difference_of_the_kernel_is_marked() -> None:
    lesson = find_lesson("control")
    live = _seen(lesson, 3)  # the SYN-ACK arrives
    assert lesson.scenes[3].moment is Moment.ARRIVES
    assert [item for item, _, _ in live.differences] == [
        *("window", "options"),
        *("ss client", "ss server"),
    ]
    texts = lesson_text("control", "en"), screen_text("en")
    view = LadderLessonScreen(Place(lesson, 3, "2/10"), *texts, live=live)
    rows = [line.plain.rstrip() for line in view.lines(80)]
    assert len(rows) == 24
    shown = rows[rows.index("── ss -tan " + "─" * 69) + 1 :]
    assert shown[: shown.index("─" * 80)] == [
        " CLIENT     ESTAB         0     0  192.0.2.10:49152    198.51.100.7:80         ✗",
        " kernel     SYN-SENT      0     1  192.0.2.10:49152    198.51.100.7:80",
        " SERVER     LISTEN        0   128  0.0.0.0:80          0.0.0.0:*               ✗",
        "            SYN-RECV      0     0  198.51.100.7:80     192.0.2.10:49152        ✗",
        " kernel     (no line)",
        " kernel     28.4 ms SYN-ACK seq=5000 ack=1001 win=100                          ✗",
        "            ✗ Window: 100, where the lesson has 65160",
        "            ✗ Options: —, where the lesson has mss 1460, sackOK, TS, nop,",
        "            wscale 7",
    ]


def test_what_did_not_happen_is_said() -> None:
    lesson = find_lesson("control")
    scene = lesson.scenes[0]
    part = LivePart(ended=True)
    assert part.differences(scene, lesson.played) == (("event", "connect", ""),)
    texts = lesson_text("control", "en"), screen_text("en")
    view = LadderLessonScreen(Place(lesson, 0, "2/10"), *texts, live=LiveScene())
    assert " kernel     this did not happen" in [line.plain.rstrip() for line in view.lines(80)]
    assert UNICODE.check not in "".join(line.plain for line in view.lines(80))
