"""What a lesson shows is what a real kernel does: headers, numbers, order, waits, and `ss`.

Two real hosts play the script of each part, as `demo LESSON --live` lets them.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handshake.lessons import LESSONS, Changes, Lesson, Moment, find_lesson, what_if
from handshake.lessons.live import LiveRun
from handshake.lessons.stage import played
from tests.cli.terminal import Terminal
from tests.live.lab.namespaces import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.lessons import Scene
    from handshake.lessons.live_event import LivePart
    from handshake.lessons.script import Part

pytestmark = pytest.mark.live

SLOWER: Final = 14
SLOW: Final = ("fast-open",)
"""Where the wire is slower by that: milliseconds decide what a program sees."""

LONGEST: Final = 4.0
"""Seconds of a part that are played: the waits after that double, too."""

LATE: Final = 900_000_000
"""Nanoseconds by which a busy machine may send late: a timer of a second is still told apart."""

STALLS: Final = 500_000_000
"""Nanoseconds of waiting for this machine after which a kernel may send again: its timers go on."""

MORE: Final = {
    # Linux acknowledges the SYN-ACK of a crossing connection, though it needs no ACK.
    ("simultaneous", "both"): {"ack", "ack-2"},
    # The client's timer and the server's expire at the same time: whichever comes first.
    ("loss", "answer"): {"syn-ack-again-2", "ack-again"},
}

# The kernel writes data that waited for connect() once its program runs again.
UNREAD: Final = {("fast-open", "first"): {"ss client"}}

# Two timers expire together, and their segments cross: either may arrive first.
CROSSING: Final = {"answer.syn-again-arrives": {"ss client"}}

NO_RIGHT: Final = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
A_USER: Final = [
    *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
    # It may read this Python, wherever root has it; nothing else.
    *("--inh-caps", "-all,+dac_read_search", "--ambient-caps", "-all,+dac_read_search"),
    *("--bounding-set", "-all,+dac_read_search"),
]
DEMO: Final = ["-m", "handshake", "demo"]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_kernel_does_what_the_lesson_shows(lesson: Lesson) -> None:
    parts = [replace(each, seconds=min(each.seconds, LONGEST)) for each in lesson.parts]
    if lesson.name in SLOW:
        parts = [_slower(each) for each in parts]
    with LiveRun(parts) as live:
        seen = {name: live.part(name) for name in live.parts}
        assert live.problem is None
    for part in parts:
        found, place = seen[part.name], (lesson.name, part.name)
        scenes = played(part) if lesson.played else lesson.scenes
        for scene in scenes:
            differs = {
                item: (said, sent)
                for item, said, sent in found.differences(scene, scenes)
                if item != "time"
                and item not in UNREAD.get(place, ())
                and item not in CROSSING.get(scene.name, ())
            }
            assert differs == {}, scene.name
            event = found.find(scene)
            assert event is not None
            assert event.differs_by(scene.at) < LATE, scene.name
        assert _besides(found, scenes) <= MORE.get(place, set())


def _besides(found: LivePart, scenes: Sequence[Scene]) -> set[str]:
    """Return what was sent besides; not what was sent again since the wire was late for long."""
    late = max(each.late for each in found.events)
    names = {each.name for each in found.unexpected(scenes)}
    return {each for each in names if late < STALLS or "again" not in each}


def _slower(part: Part) -> Part:
    given = replace(part.conditions, rtt=part.conditions.rtt * SLOWER)
    calls = tuple(replace(each, at=each.at * SLOWER) for each in part.calls)
    return replace(part, calls=calls, conditions=given, seconds=part.seconds * SLOWER)


@pytest.mark.parametrize(
    ("changes", "name", "result"),
    [
        (Changes(), "refused", "ECONNREFUSED"),
        (Changes(icmp="admin-prohibited"), "refused", "EHOSTUNREACH"),
        (Changes(icmp="host-unreachable"), "refused", "EHOSTUNREACH"),
        (Changes(icmp="net-unreachable", drop=("syn",)), "refused", "ENETUNREACH"),
        (Changes(icmp="port-unreachable"), "refused", "ECONNREFUSED"),
        (Changes(no_wscale=("server",), no_sack=("client",), mss=("server:536",)), "options", "0"),
        (Changes(no_timestamps=("both",), mss=("700",)), "options", "0"),
        (Changes(forge=2718281829), "numbers", "0"),
        (Changes(forge=2718290000), "numbers", "0"),
        (Changes(syns=6, backlog=5, cookies=True), "half-open", "0"),
        (Changes(syns=6, backlog=8), "half-open", "0"),
    ],
    ids=str,
)
def test_the_kernel_does_what_a_what_if_says(changes: Changes, name: str, result: str) -> None:
    lesson = what_if(changes, name)
    part = replace(lesson.parts[0], seconds=LONGEST)
    part = _slower(part) if name in SLOW else part
    scenes = played(part)
    with LiveRun([part]) as live:
        found = live.part("")
        assert live.problem is None
    for scene in scenes:
        differs = [each for each in found.differences(scene, scenes) if each[0] != "time"]
        assert differs == [], scene.name
    assert [each.result for each in found.events if each.name == "connect-returns"] == [result]
    assert _besides(found, scenes) == set()


def test_the_ack_leaves_before_connect_returns_and_rides_on_data_without_quickack() -> None:
    lesson = find_lesson("connect")
    with LiveRun(lesson.asides) as live:
        first, with_data = (live.part(each.name) for each in lesson.asides)
    names = [
        [
            each.name
            for each in sorted(part.events, key=lambda event: event.at)
            if each.result or (each.moment is Moment.LEAVES and "again" not in each.name)
        ]
        for part in (first, with_data)
    ]
    assert names[0][:5] == ["syn", "syn-ack", "ack", "connect-returns", "data"]
    assert names[1][:4] == ["syn", "syn-ack", "connect-returns", "data"]


@pytest.mark.parametrize("before", [[], A_USER], ids=["root", "user"])
def test_a_lesson_played_live_in_a_pipe(before: list[str]) -> None:
    argv = [*before, sys.executable, *DEMO, "control", "--live", "--json"]
    found = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert found.stderr == ""
    steps = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(steps) == len(find_lesson("control").scenes)
    for step in steps:
        differs = [each for each in step["live"]["differences"] if each["item"] != "time"]
        assert differs == []
        assert step["live"]["ss"] == step["ss"]


def test_where_it_is_not_allowed_one_line_says_why() -> None:
    argv = [*NO_RIGHT, sys.executable, *DEMO, "connect", "--live", "--step", "4"]
    found = subprocess.run(argv, capture_output=True, text=True, check=True)
    (line,) = found.stderr.splitlines()
    assert line.startswith("Simulated, not live: this machine allows no network namespace")
    assert "SYN seq=1000" in found.stdout


def test_f_explains_the_fields_of_what_the_kernel_sent() -> None:
    with Terminal([*DEMO, "loss", "--live", "--lang", "en"]) as terminal:
        terminal.see("SYN seq=1000")
        terminal.see("win=64240")
        for press, see in (
            ("f", "what the kernel sent:"),
            ("f", "Destination Port: Which socket at the receiver"),
            ("L", "커널이 보낸 헤더:"),
            ("\x1b", "클라이언트의 커널은 소켓에 SYN-SENT를 기록하고"),
        ):
            terminal.press(press)
            terminal.see(see)
        terminal.press("q")
        assert terminal.end() == 0


def _children(pid: int) -> set[int]:
    found = set()
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = each.read_text().rpartition(")")
        except OSError:
            continue
        if int(rest.split()[1]) == pid:
            found.add(int(each.parent.name))
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, "\x03", "q"])
def test_nothing_is_left_behind(how: signal.Signals | str) -> None:
    with Terminal([*DEMO, "refused", "--live"]) as terminal:
        terminal.see("kernel")
        terminal.see("ms the client's program calls connect()")
        stage = _children(terminal.process.pid)
        assert len(stage) == 1
        if isinstance(how, str):
            terminal.press(how)
        else:
            terminal.process.send_signal(how)
        terminal.process.wait()
    # Its namespaces have no other holder than this process.
    (pid,) = stage
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the process of the hosts to end")
