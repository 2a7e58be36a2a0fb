"""Events that do not belong to a connection's ordinary life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handshake.events.base import Event, Role, octets


@dataclass(frozen=True, slots=True)
class Malformed(Event):
    """The header breaks a rule."""

    code: ClassVar[str] = "malformed"
    section: ClassVar[str] = "3.1"

    problems: tuple[str, ...]

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The header is malformed: {'; '.join(self.problems)}."


@dataclass(frozen=True, slots=True)
class BadChecksum(Event):
    """The checksum does not fit the octets."""

    code: ClassVar[str] = "bad-checksum"
    section: ClassVar[str] = "3.1"

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            "Its checksum is wrong: a receiver drops it, unless it was captured on the sender "
            "before the network card filled the checksum in."
        )


@dataclass(frozen=True, slots=True)
class MidStream(Event):
    """The first segment seen of a connection was not its first."""

    code: ClassVar[str] = "mid-stream"
    section: ClassVar[str] = "3.3.2"

    guessed: bool
    """Whether it is a guess who called."""

    @property
    def text(self) -> str:
        """The fact in English."""
        roles = " Who called is a guess from the port numbers." if self.guessed else ""
        return (
            f"The beginning of this connection was not seen: its states are concluded from what "
            f"follows.{roles}"
        )


@dataclass(frozen=True, slots=True)
class PortReused(Event):
    """A SYN with a new number opened another connection between the same two sockets."""

    code: ClassVar[str] = "port-reused"
    section: ClassVar[str] = "3.4.3"

    before: int
    """The stream that had the same addresses and ports."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The same addresses and ports as stream {self.before}, with another first number: a "
            f"new connection."
        )


@dataclass(frozen=True, slots=True)
class UnseenAcknowledged(Event):
    """An ACK covered numbers that were never seen."""

    code: ClassVar[str] = "ack-of-unseen"
    section: ClassVar[str] = "3.10.7.4"

    by: Role
    count: int

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"The {self.by} acknowledges data ({octets(self.count)}) that was not seen here: it "
            f"went by without being captured."
        )


@dataclass(frozen=True, slots=True)
class Dropped(Event):
    """The receiver's rules let this segment change nothing."""

    code: ClassVar[str] = "not-acceptable"
    section: ClassVar[str] = "3.10.7"

    by: Role
    reason: str

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by.other} must not act on it: {self.reason}."


@dataclass(frozen=True, slots=True)
class ChallengeAck(Event):
    """An ACK answered a SYN or RST that might be forged."""

    code: ClassVar[str] = "challenge-ack"
    section: ClassVar[str] = "RFC 5961 3, 4"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"Challenge ACK: the {self.by} says what it expects. If the {self.by.other} really "
            f"meant it, it answers with a RST of exactly that number."
        )


@dataclass(frozen=True, slots=True)
class StrayReset(Event):
    """A RST answered a segment that does not belong to the connection."""

    code: ClassVar[str] = "stray-reset"
    section: ClassVar[str] = "3.5.2"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"RST: the {self.by} rejects what it has just heard, which does not belong to any "
            f"connection that it knows."
        )
