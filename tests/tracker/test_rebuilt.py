"""A connection is rebuilt from its steps alone: nothing else has changed it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.events import Aborted, Closed, Dropped, Established, Refused, SimultaneousOpen
from handshake.replayer import replay
from tests.oracle import public
from tests.tracker.rebuilt import kept, rebuilt

if TYPE_CHECKING:
    from handshake.events import Step

OURS = sorted((Path(__file__).parents[2] / "captures").glob("*.pcap"))


def by_connection(path: Path) -> dict[int, list[Step]]:
    """Replay a capture, compare each connection with what its steps alone make, return these."""
    found: dict[int, list[Step]] = defaultdict(list)
    source = replay(path)
    for step in source:
        found[step.stream].append(step)
    for number, steps in found.items():
        known = source.tracker.connections[number]
        assert kept(rebuilt(known, steps)) == kept(known)
    return found


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_captures(path: Path) -> None:
    assert by_connection(path)


@public.each(public.captures())
def test_the_captures_of_others(path: Path) -> None:
    by_connection(path)


def test_our_captures_have_each_event_that_changes_a_connection() -> None:
    steps = [step for path in OURS for each in by_connection(path).values() for step in each]
    seen = {type(event) for step in steps for event in step.events}
    assert seen >= {Aborted, Closed, Dropped, Established, Refused, SimultaneousOpen}
