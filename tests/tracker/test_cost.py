"""No input costs more than its length tells: what is counted are operations, not time."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.diagnosis.others import Answer, Others
from handshake.tcp import Observed
from handshake.tcp.space import Ranges
from handshake.tracker import Tracker, wireshark
from handshake.tracker.wireshark import Coverage
from handshake.tracker.zeek.stream import Stream
from tests.operations import LINEAR, growth
from tests.segments import A, B, segment

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN = (
    "A <SEQ=100><CTL=SYN>",
    "B <SEQ=300><ACK=101><CTL=SYN,ACK>",
    "A <SEQ=101><ACK=301><CTL=ACK>",
)


def seen(line: str, at: int) -> Observed:
    by, text = line.split(" ")
    return Observed(segment(text, by=A if by == "A" else B), at=at)


def orders(n: int) -> dict[str, list[int]]:
    """Return every second number up to 2 n, in several orders."""
    up = list(range(2, 2 * n, 2))
    mixed = up.copy()
    random.Random(1).shuffle(mixed)
    odd = list(range(1, 2 * n, 2))
    return {"up": up, "down": up[::-1], "mixed": mixed, "filled": [*up, *odd]}


@pytest.mark.parametrize("order", ["up", "down", "mixed", "filled"])
def test_holes_in_the_octets_that_were_captured(order: str) -> None:
    def work(n: int) -> Callable[[], None]:
        coverage, places = Coverage(), orders(n)[order]

        def take() -> None:
            for each in (0, *places):
                coverage.take(each, 1, 0x10)

        return take

    assert growth(work, 1000) < LINEAR


@pytest.mark.parametrize("order", ["up", "down", "mixed", "filled"])
def test_holes_in_the_stream_that_zeek_joins(order: str) -> None:
    def work(n: int) -> Callable[[], None]:
        stream, places = Stream(), orders(n)[order]

        def take() -> None:
            for each in places:
                stream.take(each + 1, each + 2)
                stream.give_up_if_unacknowledged(unacknowledged=False)
            stream.acknowledge(2 * n, from_the_middle=False)

        return take

    assert growth(work, 1000) < LINEAR


LINES: dict[str, Callable[[int], str]] = {
    "holes": lambda at: f"A <SEQ={103 + 2 * at}><ACK=301><DATA=1><CTL=ACK>",
    "holes, the last first": lambda at: f"A <SEQ={9103 - 2 * at}><ACK=301><DATA=1><CTL=ACK>",
    "retransmissions": lambda _: "A <SEQ=101><ACK=301><DATA=1><CTL=ACK>",
    "duplicate ACKs": lambda _: "B <SEQ=301><ACK=101><CTL=ACK>",
    "SYN-ACKs with another ISN": lambda at: f"B <SEQ={1000 * at + 7}><ACK=101><CTL=SYN,ACK>",
    "one pair": lambda at: f"A <SEQ={1000 * at + 7}><CTL=SYN>",
}


@pytest.mark.parametrize("kind", LINES)
def test_segments_of_one_pair(kind: str) -> None:
    def work(n: int) -> Callable[[], None]:
        fed = [seen(each, at) for at, each in enumerate(OPEN)]
        fed += [seen(LINES[kind](at), 10**6 * at) for at in range(n)]
        tracker = Tracker()

        def feed() -> None:
            for each in fed:
                tracker.feed(each)

        return feed

    assert growth(work, 150) < LINEAR


def test_hosts_that_refuse() -> None:
    def work(n: int) -> Callable[[], None]:
        others = Others()

        def learn() -> None:
            for each in range(n):
                others.answered(f"10.0.0.{each}", Answer(1, each, 64, 80, refused=True))
                assert len(others.refusing) == each + 1

        return learn

    assert growth(work, 300) < LINEAR


def test_a_host_that_answers_in_between_still_refuses_by_its_first_answer() -> None:
    others = Others()
    for at, refused in ((2, True), (1, False), (3, False)):
        others.answered("10.0.0.1", Answer(1, at, 64, 80, refused=refused))
        others.answered("10.0.0.2", Answer(1, at, 64, 80, refused=not refused))
    assert others.refusing == {"10.0.0.2"}


def test_of_too_many_gaps_the_largest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wireshark, "HOLES", 4)
    coverage = Coverage()
    coverage.take(0, 1, 0x10)
    for at in range(1000, 0, -2):
        coverage.take(at, 1, 0x10)
    assert coverage.count == 501


spans = st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 20)), max_size=40)


@given(spans)
def test_ranges_are_sets_of_numbers(changes: list[tuple[bool, int, int]]) -> None:
    ranges, numbers = Ranges(), set[int]()
    for adds, begin, length in changes:
        span = set(range(begin, begin + length))
        if adds and length:
            ranges.add(begin, begin + length)
            numbers |= span
        elif not adds:
            assert ranges.remove(begin, begin + length) == len(numbers & span)
            numbers -= span
        found = list(ranges)
        assert {each for first, end in found for each in range(first, end)} == numbers
        assert ranges.octets == len(numbers)
        assert all(one[1] <= two[0] for one, two in pairwise(found))
