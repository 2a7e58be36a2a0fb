"""What-ifs, held to two sockets written straight from the RFC: segment by segment."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handshake.events import Role
from handshake.lessons import WHAT_IF, Lesson, Moment, what_if
from handshake.lessons.script import CLIENT, LINUX, SERVER, Conditions
from handshake.lessons.segment_names import KINDS
from handshake.tcp import Flags
from handshake.units import NS_PER_SECOND
from tests.tracker.sockets import Socket

if TYPE_CHECKING:
    from handshake.lessons import Scene
    from handshake.tcp import Segment

DROPS = st.sets(st.tuples(st.sampled_from(KINDS), st.integers(1, 4)), max_size=5)


def _form(segment: Segment) -> tuple[Any, ...]:
    flags = segment.flags & ~Flags.PSH
    return (str(segment.source), str(flags), segment.seq, segment.ack, segment.payload_length)


def _call(ends: dict[Role, Socket], scene: Scene) -> None:
    """Make the call of a program that a scene tells of."""
    end = ends[scene.by or Role.CLIENT]
    match scene.name:
        case "connect":
            end.connect()
        case "send" | "server-sends":
            end.send(3 if scene.name == "send" else 5)
        case "close" | "server-closes":
            end.close()


def _against_the_rfc(lesson: Lesson) -> None:
    """Let the two sockets live through what arrived: they must send just what was sent."""
    client, server = Socket(CLIENT, SERVER, 1000), Socket(SERVER, CLIENT, 5000)
    ends = {Role.CLIENT: client, Role.SERVER: server}
    server.listen()
    for scene in lesson.played:
        if scene.moment is Moment.CALL:
            _call(ends, scene)
        elif scene.segment is None or scene.by is None:
            continue
        elif scene.moment is Moment.ARRIVES:
            ends[scene.by.other].arrives(scene.segment)
        else:
            end = ends[scene.by]
            if not end.out:
                end.time_out()
            assert end.out, scene.name
            assert _form(scene.segment) == _form(end.out.pop(0)), scene.name
    assert not client.out
    assert not server.out


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(WHAT_IF),
    dropped=DROPS,
    rtt=st.sampled_from([1, 28, 80, 300]),
    mss=st.integers(536, 1460),
)
def test_a_what_if_is_what_two_sockets_of_the_rfc_do(
    name: str, dropped: set[tuple[str, int]], rtt: int, mss: int
) -> None:
    offers = (replace(LINUX, mss=mss), LINUX)
    conditions = Conditions(rtt * 1_000_000, frozenset(dropped), offers=offers)
    _against_the_rfc(what_if(conditions, name))


@given(lost=st.integers(1, 8), rtt=st.sampled_from([1, 28, 900]))
@settings(max_examples=30, deadline=None)
def test_a_lost_syn_is_sent_again_after_the_times_of_linux(lost: int, rtt: int) -> None:
    drops = frozenset(("syn", number) for number in range(1, lost + 1))
    lesson = what_if(Conditions(rtt * 1_000_000, drops))
    sent = [
        scene.at / NS_PER_SECOND
        for scene in lesson.played
        if scene.name.startswith("syn")
        and scene.moment in (Moment.LEAVES, Moment.LOST)
        and scene.by is Role.CLIENT
    ]
    waits = [b - a for a, b in pairwise(sent)]
    assert waits == [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 4.0, 8.0][:lost]
