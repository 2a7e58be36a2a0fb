"""What proves that a task is done, and what does not."""

from __future__ import annotations

from handshake.lessons.tasks import TASKS, TaskWatch, listed, tasks_text
from handshake.tcp import Endpoint, Flags, Observed, Segment, Seq, State
from handshake.units import NS_PER_SECOND

HERE, THERE = Endpoint.of("127.0.0.1", 40000), Endpoint.of("127.0.0.1", 9000)
ANY = Endpoint.of("0.0.0.0", 0)


def syn(seq: int, seconds: float) -> Observed:
    segment = Segment(HERE, THERE, Seq(seq), None, Flags.SYN, 64240)
    return Observed(segment, round(seconds * NS_PER_SECOND))


def test_three_syns_count_only_if_they_are_the_same() -> None:
    watch = TaskWatch()
    for seq, seconds in ((1, 0), (2, 1), (3, 2), (1, 1.0)):
        watch.passed(syn(seq, seconds))
    assert watch.done == {}
    watch.passed(syn(1, 3.04))
    assert watch.done == {
        "syn-three-times": {"seq": "1", "destination": "127.0.0.1:9000", "times": "1.0, 3.0"}
    }


def test_a_half_open_entry_counts_once_it_is_left() -> None:
    watch, second = TaskWatch(), NS_PER_SECOND
    entry = (State.SYN_RECEIVED, THERE, HERE)
    watch.look([entry], 0)
    watch.look([], second // 2)  # completed, as usual
    watch.look([entry], 2 * second)
    watch.look([entry], 3 * second)
    assert watch.done == {}
    watch.look([entry], 3 * second + 1)
    assert watch.done == {"half-open": {"local": "127.0.0.1:9000", "remote": "127.0.0.1:40000"}}


def test_sockets_and_a_rst() -> None:
    watch = TaskWatch()
    watch.look([(State.ESTABLISHED, HERE, THERE)], 0)
    watch.passed(Observed(Segment(HERE, THERE, Seq(1), Seq(1), Flags.ACK, 1), 0))
    assert watch.done == {}
    watch.look([(State.LISTEN, THERE, ANY), (State.TIME_WAIT, HERE, THERE)], 0)
    watch.passed(Observed(Segment(THERE, HERE, Seq(0), Seq(2), Flags.RST | Flags.ACK, 0), 0))
    assert list(watch.done) == ["listen", "time-wait", "rst"]


def test_the_list_has_hints_for_what_is_left() -> None:
    text = tasks_text("en")
    lines = listed(text, {"listen": {}}, check="+", coming="-")
    assert lines[0] == " + 1. Make a socket LISTEN."
    assert lines[1] == " - 2. Cause a RST."
    assert len(lines) == len(TASKS) + sum(len(text.tasks[name].hints) for name in TASKS[1:])
