"""Events that do not belong to the ordinary course of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.events.base import Event, Role
from handshake.tcp.copy import value

if TYPE_CHECKING:
    from handshake.messages import Message


@value(frozen=True, slots=True)
class Malformed(Event, code="malformed", section="3.1"):
    """The header breaks a rule."""

    problems: tuple[str, ...]


@value(frozen=True, slots=True)
class OptionsCut(Event, code="options-cut", section="3.1"):
    """The end of the header was not captured: what its options say is not known."""


@value(frozen=True, slots=True)
class BadChecksum(Event, code="bad-checksum", section="3.1"):
    """The checksum does not match the octets."""

    partial: bool = False
    """Whether it is the sum of the pseudo-header alone, which the network card completes."""

    @property
    def variant(self) -> str:
        """Its kind."""
        return "partial" if self.partial else "wrong"


@value(frozen=True, slots=True)
class Copied(Event, code="copy", section="RFC 791 2.3"):
    """The capture has the same packet again: it was sent once."""

    by: Role
    frame: int | None
    """The packet that it is a copy of."""

    after: float
    """Seconds since that packet; less than 0 where the file is not in order."""

    hops: int = 0
    """How many hops later on the path it was captured; less than 0: earlier."""

    replayed: bool = False
    """Whether an earlier part of the capture was played again."""

    @property
    def variant(self) -> str:
        """Where the copy comes from."""
        return "replayed" if self.replayed else "elsewhere" if self.hops else "here"

    @property
    def gap(self) -> float:
        """Seconds between both."""
        return abs(self.after)

    @property
    def distance(self) -> int:
        """Hops between the two points of the capture."""
        return abs(self.hops)


@value(frozen=True, slots=True)
class MidStream(Event, code="mid-stream", section="3.3.2"):
    """The first segment captured of a connection was not its first."""

    guessed: bool
    """Whether it is a guess which end is the client."""


@value(frozen=True, slots=True)
class SynCleared(Event, code="syn-cleared", section="3.2"):
    """A connection began with a SYN whose flag was changed on the way."""

    by: Role


@value(frozen=True, slots=True)
class PortReused(Event, code="port-reused", section="3.4.3"):
    """A SYN with a new number opened another connection between the same two sockets."""

    before: int
    """The stream that had the same addresses and ports."""


@value(frozen=True, slots=True)
class UnseenAcknowledged(Event, code="ack-of-unseen", section="3.10.7.4"):
    """An ACK covered sequence numbers that were never seen."""

    by: Role
    count: int


@value(frozen=True, slots=True)
class Dropped(Event, code="not-acceptable", section="3.10.7"):
    """The segment is not acceptable: its receiver must drop it."""

    by: Role
    reason: Message
    """Why, of the family `reasons`: `unacceptable.outside-window` and the like."""


@value(frozen=True, slots=True)
class ChallengeAck(Event, code="challenge-ack", section="RFC 5961 3, 4"):
    """An ACK answered a SYN or RST that might be spoofed."""

    by: Role


@value(frozen=True, slots=True)
class ResetForged(Event, code="reset-forged", section="RFC 5961 3"):
    """A RST that the end which it names did not send, as what that end sends later proves."""

    by: Role
    """The end that it names."""

    frame: int | None
    """The segment that proves it."""

    closed: bool
    """Whether it ended the connection at its receiver."""


@value(frozen=True, slots=True)
class ResetDisproved(Event, code="reset-disproved", section="RFC 5961 3"):
    """An end goes on as if it had not sent a RST which had its address."""

    by: Role
    frame: int | None
    """The RST."""


@value(frozen=True, slots=True)
class StrayReset(Event, code="stray-reset", section="3.5.2"):
    """A RST of an end whose connection was over: the answer to a segment, or late."""

    by: Role
    acks: bool = False
    """Whether it has an ACK, as no answer to an ACK has."""

    @property
    def variant(self) -> str:
        """Whether it is the answer that a segment with ACK gets."""
        return "other" if self.acks else "answer"


@value(frozen=True, slots=True)
class Lost(Event, code="lost", section="3.8.1"):
    """A segment did not reach its receiver."""

    by: Role
    frame: int | None
    """The later segment that proves it."""

    opens: bool
    """Whether it is a SYN-ACK."""

    @property
    def variant(self) -> str:
        """What proves it: another SYN, or ACKs that ask for the data."""
        return "syn-ack" if self.opens else "data"


@value(frozen=True, slots=True)
class NotYetArrived(Event, code="not-yet-arrived", section="3.8.1"):
    """A SYN-ACK had not reached the client when that sent its SYN again."""

    by: Role
    frame: int | None
    """The SYN that the client sent again."""


@value(frozen=True, slots=True)
class NotAccepted(Event, code="ack-not-accepted", section="3.8.1"):
    """The receiver of a handshake's ACK, or of data after it, does not act on it."""

    by: Role
    frame: int | None
    """The SYN-ACK that comes again."""
