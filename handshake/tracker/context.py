"""A segment with its two ends: what the explaining of it starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.events import Change, Role
    from handshake.tcp import Observed, Segment
    from handshake.tracker.connection import End, Transmission


class SegmentContext(NamedTuple):
    """A segment, its two ends, and each block before and after it."""

    observed: Observed
    sender: End
    receiver: End
    sent: Change
    heard: Change
    """`before` is the receiver's block made ready: with all that this segment lets conclude."""

    unseen: int
    """How many numbers it acknowledges that the receiver was not seen to send."""

    marks: int
    """What Wireshark says of it: a sum of `Mark`."""

    @property
    def seg(self) -> Segment:
        """The segment."""
        return self.observed.segment

    @property
    def disbelieved(self) -> bool:
        """Whether it is a RST that a synchronized receiver does not find acceptable."""
        block = self.heard.before
        return (
            self.seg.rst
            and block is not None
            and block.state.synchronized
            and not block.acceptable(self.seg)
        )

    @property
    def by(self) -> Role:
        """Who sent it."""
        return self.sender.role

    def since(self, sending: Transmission) -> float:
        """Return the seconds since this SYN or SYN,ACK went out last."""
        return (self.observed.at - sending.last.at) / NS_PER_SECOND
