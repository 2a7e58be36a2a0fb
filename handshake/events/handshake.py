"""Events of a connection that opens, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.events.base import Event, Role
from handshake.tcp.copy import value
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from handshake.tcp import Agreement, Seq

SOONEST: Final = SOONEST_TIMER / NS_PER_SECOND
"""Seconds before which no timer retransmits a SYN."""


@value(frozen=True, slots=True)
class SynSent(Event, code="syn", section="3.5"):
    """An end sent a SYN to open a connection."""

    by: Role
    iss: Seq
    """Its initial sequence number."""


@value(frozen=True, slots=True)
class SynRetransmitted(Event, code="syn-retransmitted", section="3.8.1"):
    """The same SYN was sent again: no answer came in time."""

    by: Role
    times: int
    """How often it has been sent again, this time included."""

    waited: float
    """Seconds since it was last sent."""

    refused: bool = False
    """Whether a RST had answered it in the meantime."""

    @property
    def variant(self) -> str:
        """What can have caused it."""
        if self.refused:
            return "refused"
        return "timer" if self.waited >= SOONEST else "copy"


@value(frozen=True, slots=True)
class SynAckSent(Event, code="syn-ack", section="3.5"):
    """A listener answered: the connection is half-open now."""

    by: Role
    iss: Seq
    """Its initial sequence number."""

    acked: Seq
    """The number it expects next."""


@value(frozen=True, slots=True)
class SynAckCrossed(Event, code="syn-ack-crossed", section="3.5"):
    """An end that had sent a SYN answered the SYN that crossed its own."""

    by: Role
    acked: Seq


@value(frozen=True, slots=True)
class SynAckRetransmitted(Event, code="syn-ack-retransmitted", section="3.8.1"):
    """The same SYN-ACK was sent again."""

    by: Role
    times: int
    """How often it has been sent again, this time included."""

    waited: float
    """Seconds since it was last sent."""

    asked: bool
    """Whether it answers a retransmitted SYN; else the sender's own timer expired."""

    @property
    def variant(self) -> str:
        """What caused it."""
        if self.asked:
            return "answer"
        return "timer" if self.waited >= SOONEST else "copy"


@value(frozen=True, slots=True)
class OptionsNegotiated(Event, code="negotiated", section="3.2"):
    """Both offers are known: what they have in common is in force."""

    agreed: Agreement

    scaled: bool
    """Whether window scaling is in force: both ends offered it."""

    @property
    def uneven(self) -> bool:
        """Whether the MSS differs by direction."""
        return self.agreed.client_mss != self.agreed.server_mss

    @property
    def ecn_agreed(self) -> bool:
        """Whether explicit congestion notification is in force."""
        return self.agreed.ecn != "none"

    @property
    def accecn(self) -> bool:
        """Whether ECN's feedback is the accurate one (RFC 9768)."""
        return self.agreed.ecn == "accecn"

    def __getitem__(self, name: str) -> object:
        return getattr(self.agreed if hasattr(self.agreed, name) else self, name)


@value(frozen=True, slots=True)
class Established(Event, code="established", section="3.5"):
    """Both ends reached ESTABLISHED."""

    round_trip: float | None
    """Seconds from the SYN to the segment that completed the handshake; None where unseen."""

    answered: float | None = None
    """Seconds of it until the SYN-ACK passed; None where that is not between the two."""

    @property
    def rest(self) -> float:
        """Seconds from the SYN-ACK to the segment that completed the handshake."""
        return (self.round_trip or 0) - (self.answered or 0)

    @property
    def variant(self) -> str:
        """What was seen of the SYN and the SYN-ACK."""
        if self.round_trip is None:
            return "untimed"
        return "timed" if self.answered is None else "shared"


@value(frozen=True, slots=True)
class SimultaneousOpen(Event, code="simultaneous-open", section="3.5"):
    """Both ends sent a SYN, and the SYNs crossed."""

    by: Role
    iss: Seq
    """The initial sequence number of the second SYN."""


@value(frozen=True, slots=True)
class Refused(Event, code="refused", section="3.5.2"):
    """A RST answered the SYN."""

    by: Role

    after: float
    """Seconds since the SYN."""
