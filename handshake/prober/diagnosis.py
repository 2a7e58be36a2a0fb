"""The diagnosis of a probe: that of the connection which its own segments show."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.diagnosis import Facts
from handshake.tracker import Tracker, summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.record import Diagnosis
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


def diagnosis_of(segments: Sequence[Observed], errors: Sequence[IcmpError]) -> Diagnosis | None:
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
