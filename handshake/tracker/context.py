"""A segment, both ends, and their control blocks before and after it: what is classified."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.events import Change, Role
    from handshake.tcp import Observed, Segment
    from handshake.tracker.connection import End, Transmission


class SegmentContext(NamedTuple):
    """A segment, both ends, and their control blocks before and after it."""

    observed: Observed
    sender: End
    receiver: End
    sent: Change
    received: Change
    """`before` is the receiver's block with all that can be inferred from this segment."""

    unseen: int
    """How many acknowledged sequence numbers the capture lacks."""

    marks: int
    """Wireshark's marks: a sum of `Mark`."""

    @property
    def seg(self) -> Segment:
        """The segment."""
        return self.observed.segment

    @property
    def rejected_reset(self) -> bool:
        """Whether it is a RST that is not acceptable to a synchronized receiver."""
        block = self.received.before
        return (
            self.seg.rst
            and block is not None
            and block.state.synchronized
            and not block.acceptable(self.seg)
        )

    @property
    def by(self) -> Role:
        """The end that sent it."""
        return self.sender.role

    def since(self, transmission: Transmission) -> float:
        """Return the seconds since this SYN or SYN-ACK was last sent."""
        return (self.observed.at - transmission.last.at) / NS_PER_SECOND
