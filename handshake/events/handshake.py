"""Events of a connection that opens, or does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from handshake.events.base import Event, Role, seconds

if TYPE_CHECKING:
    from handshake.tcp import Seq


@dataclass(frozen=True, slots=True)
class SynSent(Event):
    """An end asked to open a connection."""

    code: ClassVar[str] = "syn"
    section: ClassVar[str] = "3.5"

    by: Role
    iss: Seq
    """The number it starts from."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The {self.by} asks to connect: SYN says that its numbers start at {self.iss}. "
            f"Whether anyone listens there, only the answer will tell."
        )


@dataclass(frozen=True, slots=True)
class SynRetransmitted(Event):
    """The same SYN went out again: no answer came in time."""

    code: ClassVar[str] = "syn-retransmitted"
    section: ClassVar[str] = "3.8.1"

    by: Role
    times: int
    """How often it has been sent again, this time included."""

    waited: float
    """Seconds since it was last sent."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The {self.by} sends the same SYN again (retransmission {self.times}, after "
            f"{seconds(self.waited)}): no answer reached it before its timer ran out. A SYN takes "
            f"its number once, however often it is sent."
        )


@dataclass(frozen=True, slots=True)
class SynAckSent(Event):
    """A listener answered: it has a half-open entry now."""

    code: ClassVar[str] = "syn-ack"
    section: ClassVar[str] = "3.5"

    by: Role
    iss: Seq
    """The number it starts from."""

    acked: Seq
    """The number it expects next."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The {self.by} answers as a listening socket does, having noted who calls, with "
            f'two messages in one segment: ACK ("{self.acked} is what I expect next") and SYN '
            f'("my own numbers start at {self.iss}").'
        )


@dataclass(frozen=True, slots=True)
class SynAckCrossed(Event):
    """An end that had called answered the call that crossed its own."""

    code: ClassVar[str] = "syn-ack-crossed"
    section: ClassVar[str] = "3.5"

    by: Role
    acked: Seq

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The {self.by} repeats its own SYN with an ACK for the one that crossed it "
            f'("{self.acked} is what I expect next").'
        )


@dataclass(frozen=True, slots=True)
class SynAckRetransmitted(Event):
    """The same SYN,ACK went out again."""

    code: ClassVar[str] = "syn-ack-retransmitted"
    section: ClassVar[str] = "3.8.1"

    by: Role
    times: int
    """How often it has been sent again, this time included."""

    waited: float
    """Seconds since it was last sent."""

    asked: bool
    """Whether a repeated SYN asked for it; else the sender's own timer ran out."""

    @property
    def text(self) -> str:
        """The fact in English."""
        if self.asked:
            return (
                f"The {self.by} answers the repeated SYN with the same SYN+ACK "
                f"({seconds(self.waited)} after it last sent it): the entry is already there."
            )
        return (
            f"The {self.by} sends the same SYN+ACK again (retransmission {self.times}, after "
            f"{seconds(self.waited)}): the ACK that it waits for has not reached it. It is "
            f"half-open: the {self.by.other} may believe that the connection stands."
        )


@dataclass(frozen=True, slots=True)
class Negotiated(Event):
    """Both offers are known: what they have in common is in force."""

    code: ClassVar[str] = "negotiated"
    section: ClassVar[str] = "3.2"

    client_mss: int
    """Octets the client may send in one segment."""

    server_mss: int
    """Octets the server may send in one segment."""

    client_shift: int
    """How the client's windows are scaled; 0 where scaling is not in force."""

    server_shift: int
    """How the server's windows are scaled."""

    scaled: bool
    """Whether window scaling is in force: both ends offered it."""

    sack: bool
    timestamps: bool
    ecn: bool
    accecn: bool = False
    """Whether ECN's feedback is the accurate one (RFC 9768)."""

    @property
    def text(self) -> str:
        """The fact in English."""
        scale = f"window shift {self.client_shift}/{self.server_shift}"
        on = [
            word
            for word, agreed in (
                (scale, self.scaled),
                ("SACK", self.sack),
                ("timestamps", self.timestamps),
                ("AccECN" if self.accecn else "ECN", self.ecn),
            )
            if agreed
        ]
        mss = f"MSS {self.client_mss}"
        if self.client_mss != self.server_mss:
            mss += f" towards the server and {self.server_mss} towards the client"
        return f"In force from now on: {', '.join([mss, *on])}."


@dataclass(frozen=True, slots=True)
class Established(Event):
    """Both ends reached ESTABLISHED."""

    code: ClassVar[str] = "established"
    section: ClassVar[str] = "3.5"

    round_trip: float | None
    """Seconds from the SYN to the segment that completed the handshake; None where unseen."""

    @property
    def text(self) -> str:
        """The fact in English."""
        took = "" if self.round_trip is None else f", {seconds(self.round_trip)} after the SYN"
        return (
            f"Each end has the other's starting number and knows that its own arrived: both are "
            f"ESTABLISHED{took}."
        )


@dataclass(frozen=True, slots=True)
class SimultaneousOpen(Event):
    """Both ends called at once: the SYNs crossed on the way."""

    code: ClassVar[str] = "simultaneous-open"
    section: ClassVar[str] = "3.5"

    by: Role
    iss: Seq
    """The number from which the second caller starts."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The {self.by} calls too: its SYN (numbers from {self.iss}) crossed the other on the "
            f"way, and the two calls become one connection (figure 7)."
        )


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A RST answered the SYN."""

    code: ClassVar[str] = "refused"
    section: ClassVar[str] = "3.5.2"

    by: Role

    after: float
    """Seconds since the SYN."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"Refused: RST came back {seconds(self.after)} after the SYN. Either the host is up "
            f"and nothing listens on that port, or a firewall answered in its name."
        )
