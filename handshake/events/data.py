"""Events of a connection that carries data."""

from __future__ import annotations

from handshake.events.base import Event, Role
from handshake.tcp.copy import value


@value(frozen=True, slots=True)
class DataSent(Event, code="data", section="3.10.2"):
    """An end sent new data."""

    by: Role
    count: int
    """Octets of payload that were not sent before."""


@value(frozen=True, slots=True)
class Acknowledged(Event, code="acknowledged", section="3.4"):
    """An ACK covered sequence numbers that were outstanding."""

    by: Role
    count: int
    """Numbers newly acknowledged: octets, and SYN or FIN."""

    fin: bool
    """Whether the peer's FIN is among them."""

    @property
    def data(self) -> int:
        """Octets among them."""
        return self.count - self.fin


@value(frozen=True, slots=True)
class Retransmitted(Event, code="retransmitted", section="3.8.1"):
    """Sequence numbers that had been sent before were sent again."""

    by: Role
    count: int
    """Numbers sent again: octets, and the FIN."""

    fin: bool
    unseen: int = 0
    """Octets in it that this capture was missing although later ones had passed."""

    @property
    def data(self) -> int:
        """Octets sent again."""
        return self.count - self.fin

    @property
    def variant(self) -> str:
        """Whether anything was seen before, or all of it was missing here."""
        return "again" if self.count else "unseen"


@value(frozen=True, slots=True)
class FilledGap(Event, code="out-of-order", section="3.10.7.4"):
    """Data came after later data, too soon to be the retransmission of a loss."""

    by: Role
    count: int
    again: int = 0
    """Octets of it that had come before."""

    @property
    def variant(self) -> str:
        """Whether all of it was missing, or part of it is a second copy."""
        return "twice" if self.again else "late"


@value(frozen=True, slots=True)
class GapSeen(Event, code="gap", section="3.10.7.4"):
    """Sequence numbers between the last segment and this one were not seen."""

    by: Role
    count: int


@value(frozen=True, slots=True)
class DuplicateAck(Event, code="duplicate-ack", section="RFC 5681 2"):
    """An ACK repeated the number that its sender expects, while data was outstanding."""

    by: Role


@value(frozen=True, slots=True)
class AckedAgain(Event, code="ack-again", section="3.10.7.4"):
    """An ACK acknowledged nothing new: its sender had received this before."""

    by: Role
    handshake: bool
    """Whether it answers a retransmitted SYN-ACK."""

    @property
    def variant(self) -> str:
        """What it acknowledges again."""
        return "syn-ack" if self.handshake else "data"


@value(frozen=True, slots=True)
class WindowClosed(Event, code="zero-window", section="3.8.6"):
    """An end advertised a zero window: its receive buffer is full."""

    by: Role
    over: bool = False
    """Whether the peer's FIN has come, so that nothing waits for the window."""

    @property
    def variant(self) -> str:
        """Whether the peer has to wait."""
        return "over" if self.over else "waits"


@value(frozen=True, slots=True)
class WindowUpdated(Event, code="window-update", section="3.8.6"):
    """An ACK that acknowledged nothing new changed the window."""

    by: Role
    window: int
    """Octets, scaled."""


@value(frozen=True, slots=True)
class KeepAlive(Event, code="keep-alive", section="3.8.4"):
    """A segment with the number before SND.NXT asked whether the peer is still there."""

    by: Role
    pending: bool = False
    """Whether its octet was never acknowledged."""

    @property
    def variant(self) -> str:
        """Whether it only asks, or sends an octet again that the peer has not acknowledged."""
        return "pending" if self.pending else "asks"


@value(frozen=True, slots=True)
class WindowProbe(Event, code="window-probe", section="3.8.6.1"):
    """A segment asked an end with a zero window whether the window has opened."""

    by: Role


@value(frozen=True, slots=True)
class KeepAliveAck(Event, code="keep-alive-ack", section="3.8.4"):
    """An ACK answered a keep-alive."""

    by: Role
