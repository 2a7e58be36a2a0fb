"""The kinds of a checksum: right, left to the network card, wrong, or not to be verified."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final

from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.tcp.segment import Observed
    from handshake.tcp.seq import Seq

PENDING: Final = 8
"""Segments with a wrong checksum remembered of one end, until they are acknowledged."""

_ONES: Final = 0xFFFF
_LEAST: Final = 5


class Checksum(Enum):
    """The kinds of a checksum."""

    RIGHT = "right"
    PARTIAL = "partial"
    """The sum of the pseudo-header alone, or 0: the network card of the sender completes it."""

    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It cannot be verified: the packet was cut by the snap length."""


def kind(observed: Observed) -> Checksum:
    """Return the kind of a segment's checksum."""
    if observed.checksum_ok is None:
        return Checksum.UNKNOWN
    if observed.checksum_ok:
        return Checksum.RIGHT
    known = observed.sum_kind
    if isinstance(known, Checksum):
        return known
    found = _kind(observed)
    object.__setattr__(observed, "sum_kind", found)
    return found


def _kind(observed: Observed) -> Checksum:
    seg = observed.segment
    addresses = seg.source.address.packed + seg.destination.address.packed
    length = max(seg.data_offset, _LEAST) * 4 + seg.payload_length
    return Checksum.PARTIAL if is_partial(addresses, TCP, length, seg.checksum) else Checksum.WRONG


def is_partial(addresses: bytes, protocol: int, length: int, found: int) -> bool:
    """Whether a checksum field that is not right has the sum of the pseudo-header alone, or 0."""
    # 2**16 is 1 modulo 2**16 - 1, so the sum of the words is the whole number's remainder.
    pseudo = int.from_bytes(addresses, "big") + protocol
    # For a packet that the card also splits, some systems leave out the length.
    return not found or any((pseudo + each - found) % _ONES == 0 for each in (length, 0))


@dataclass(slots=True)
class Damaged:
    """The segments of one end with a wrong checksum: whether the other end takes them anyway.

    A receiver drops what arrives so (section 3.1). If it acknowledges such a segment that came
    once, the checksum was right on the wire, and the capture, or a tool, changed it.
    """

    accepted: bool = False
    """Whether the other end acknowledged one that did not come again undamaged."""

    pending: list[tuple[Seq, Seq]] = field(default_factory=list)
    """The numbers of those that are not acknowledged yet."""

    def sent(self, observed: Observed, *, wrong: bool) -> None:
        """Take a segment of this end into account; `wrong`: its checksum."""
        self.took(observed.segment.seq, observed.segment.end, wrong=wrong)

    def took(self, seq: Seq, end: Seq, *, wrong: bool) -> None:
        """Take a segment with these numbers into account."""
        if self.accepted:
            return
        if wrong:
            if seq != end and len(self.pending) < PENDING:
                self.pending.append((seq, end))
        elif self.pending:
            # Sent again, undamaged: only this one may be what is acknowledged.
            self.pending = [
                each for each in self.pending if not (seq <= each[0] and each[1] <= end)
            ]

    def is_taken(self, ack: Seq | None) -> bool:
        """Whether the other end takes any; `ack` is that of its next segment."""
        return self.accepted or (ack is not None and any(end <= ack for _, end in self.pending))

    def acknowledged(self, ack: Seq) -> None:
        """Note what the other end acknowledges."""
        if any(end <= ack for _, end in self.pending):
            self.accepted = True
            self.pending.clear()
