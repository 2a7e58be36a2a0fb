"""A segment, both ends, and their control blocks before and after it: what is classified."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.events import Change, Copy, Judgment, Role
    from handshake.tcp import ControlBlock, Observed, Segment
    from handshake.tracker.connection import Connection, End, Transmission


class SegmentContext(NamedTuple):
    """A segment, both ends, and their control blocks before and after it."""

    connection: Connection
    """As it was before the segment, and so are both ends."""

    observed: Observed
    seg: Segment
    """The segment itself."""

    sender: End
    receiver: End
    sent: Change
    received: Change
    """`before` is the receiver's block with all that can be inferred from this segment."""

    marks: int
    """Wireshark's marks, copies left out: a sum of `Mark`."""

    copy: Copy | None = None
    judgment: Judgment | None = None
    """Its fate, if the rest of the connection is known."""

    damaged: bool = False
    """Whether its receiver drops it for its wrong checksum, for all that is known."""

    @property
    def rejected_reset(self) -> bool:
        """Whether it is a RST that is not acceptable to a synchronized receiver."""
        return is_rejected_reset(self.received.before, self.seg)

    @property
    def unseen(self) -> int:
        """How many acknowledged sequence numbers the capture lacks."""
        known, ready = self.receiver.block, self.received.before
        if known is None or ready is None or known.snd.nxt is None or ready.snd.nxt is None:
            return 0
        nxt = known.snd.nxt
        return 0 if ready.snd.nxt is nxt else max(0, ready.snd.nxt - nxt)

    @property
    def by(self) -> Role:
        """The end that sent it."""
        return self.sender.role

    def after(self, role: Role) -> ControlBlock | None:
        """Return the control block of an end after the segment."""
        return (self.sent if role is self.by else self.received).after

    def since(self, transmission: Transmission) -> float:
        """Return the seconds since this SYN or SYN-ACK was last sent; 0 if the clock went back."""
        return max(0, self.observed.at - transmission.last.at) / NS_PER_SECOND


def is_rejected_reset(block: ControlBlock | None, seg: Segment) -> bool:
    """Whether it is a RST that is not acceptable to a synchronized receiver."""
    if not seg.rst or block is None or not block.state.synchronized:
        return False
    return not block.acceptable(seg)
