"""The diagnosis of a probe: that of the connection which its own segments show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.diagnosis import Facts
from handshake.endpoint.outcome import Verdict
from handshake.record import Diagnosis
from handshake.tracker import Tracker, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

_BY_VERDICT: Final = {Verdict.CLOSED: "refused", Verdict.FILTERED: "no-answer"}
"""The diagnoses that a verdict alone allows: those that leave the cause open."""


def by_verdict(
    verdict: Verdict, address: str | None, port: int, syns: int, seconds: float | None
) -> Diagnosis | None:
    """Return the diagnosis of a probe whose segments were not kept; None where none is safe."""
    code = _BY_VERDICT.get(verdict)
    if code is None:
        return None
    values = {
        "port": port,
        "server": address,
        "count": syns,
        "more": syns > 1,
        "up": False,
        "span": seconds or 0,
        "times": 1,
        "again": False,
    }
    return Diagnosis(code, "possible", (), (), values)


def by_segments(segments: Sequence[Observed], errors: Sequence[IcmpError]) -> Diagnosis | None:
    """Return the diagnosis of the connection of our first segment; None if it went well.

    A segment's number in the evidence counts from 1, in the order of `segments`.
    """
    ours = next((each.segment.source for each in segments if each.outgoing), None)
    if ours is None:
        return None
    tracker = Tracker(client=ours, observers=(Facts,))
    for number, each in enumerate(segments, 1):
        tracker.feed(replace(each, frame=number))
    for error in errors:
        tracker.quoted(error)
    mine = [each for each in tracker.connections if each.client.endpoint == ours]
    return summarize(mine[-1]).diagnosis if mine else None
