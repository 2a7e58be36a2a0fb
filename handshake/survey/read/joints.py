"""Tells whether two files follow each other: octets that neither has were acknowledged between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.packet.decode import Decoder
from handshake.tcp import Observed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.packet.frame import Frame
    from handshake.tcp import Endpoint, Segment, Seq

    _Way = tuple[Endpoint, Endpoint]

AROUND: Final = 500
"""Frames before and after a joint that are looked at."""

_MOST: Final = 2**30
"""Octets beyond which an acknowledgment is taken for a wrong one: the largest window."""


def missing_between(before: Iterable[Frame], after: Iterable[Frame]) -> int:
    """Return in how many connections octets are missing between the frames before and after.

    They are if the receiver acknowledges them after the joint, but not before, and the sender's
    next captured octet comes after them. What is acknowledged was received (RFC 9293 3.4).
    """
    sent, acked = _sent_and_acked(before)
    lowest: dict[_Way, Seq] = {}
    acked_later: dict[_Way, Seq] = {}
    opened: set[_Way] = set()
    for seg in _segments(after):
        way, back = (seg.source, seg.destination), (seg.destination, seg.source)
        if seg.syn:
            opened |= {way, back}  # its ports are used again
        if way in opened:
            continue
        if seg.length and (way not in lowest or seg.seq < lowest[way]):
            lowest[way] = seg.seq
        if seg.ack is not None:
            acked_later[back] = max(acked_later.get(back, seg.ack), seg.ack)
    return len(
        {
            frozenset(way)
            for way, end in sent.items()
            if way in acked_later
            and 0 < acked_later[way] - end < _MOST
            and not (way in acked and acked[way] > end)
            and not (way in lowest and lowest[way] <= end)
        }
    )


def _sent_and_acked(frames: Iterable[Frame]) -> tuple[dict[_Way, Seq], dict[_Way, Seq]]:
    """Return the number after the last octet sent each way, and that acknowledged last."""
    sent: dict[_Way, Seq] = {}
    acked: dict[_Way, Seq] = {}
    for seg in _segments(frames):
        way, back = (seg.source, seg.destination), (seg.destination, seg.source)
        end = seg.seq + seg.length
        sent[way] = end if seg.syn else max(sent.get(way, end), end)
        if seg.ack is not None:
            acked[back] = seg.ack if seg.syn else max(acked.get(back, seg.ack), seg.ack)
    return sent, acked


def _segments(frames: Iterable[Frame]) -> Iterator[Segment]:
    """Yield the segments of frames; a RST may have any number."""
    decoder = Decoder()
    for each in frames:
        found = decoder.observed(each)
        if isinstance(found, Observed) and not found.segment.rst:
            yield found.segment
