"""Events of a connection that carries data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handshake.events.base import Event, Role, octets


@dataclass(frozen=True, slots=True)
class DataSent(Event):
    """New data went out."""

    code: ClassVar[str] = "data"
    section: ClassVar[str] = "3.10.2"

    by: Role
    count: int
    """Octets of payload that were not sent before."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by} sends {octets(self.count)} of data."


@dataclass(frozen=True, slots=True)
class Acknowledged(Event):
    """An ACK covered numbers that were outstanding."""

    code: ClassVar[str] = "acknowledged"
    section: ClassVar[str] = "3.4"

    by: Role
    count: int
    """Numbers newly acknowledged: octets, and SYN or FIN."""

    fin: bool
    """Whether the peer's FIN is among them."""

    @property
    def text(self) -> str:
        """The fact in English."""
        data = self.count - self.fin
        what = []
        if data:
            what.append(octets(data))
        if self.fin:
            what.append("the FIN")
        return f"The {self.by} acknowledges {' and '.join(what)}."


@dataclass(frozen=True, slots=True)
class Retransmitted(Event):
    """Numbers that had been sent before went out again."""

    code: ClassVar[str] = "retransmitted"
    section: ClassVar[str] = "3.8.1"

    by: Role
    count: int
    """Numbers sent again: octets, and the FIN."""

    fin: bool
    unseen: int = 0
    """Octets in it that were missing here since later ones came."""

    @property
    def text(self) -> str:
        """The fact in English."""
        late = (
            f"{octets(self.unseen)} that were missing here since later ones came: sent first, they "
            f"were lost before this point, or held up for longer than a round trip."
        )
        if not self.count:
            return f"The {self.by} sends {late}"
        what = "its FIN" if self.fin and self.count == 1 else octets(self.count)
        with_it = f" With it come {late}" if self.unseen else ""
        return (
            f"The {self.by} sends {what} again: it has not heard of their arrival, so the segment "
            f"or its ACK was lost or late.{with_it}"
        )


@dataclass(frozen=True, slots=True)
class FilledGap(Event):
    """Numbers came after later ones, too soon for the answer to a loss."""

    code: ClassVar[str] = "out-of-order"
    section: ClassVar[str] = "3.10.7.4"

    by: Role
    count: int
    again: int = 0
    """Octets of them that had come before."""

    @property
    def text(self) -> str:
        """The fact in English."""
        if self.again:
            return (
                f"The {self.by}'s {octets(self.again)} come twice within a round trip, the second "
                f"time after later ones: the segment was doubled on the way, or sent again before "
                f"its loss could be known."
            )
        return (
            f"The {self.by}'s {octets(self.count)} come after later ones: they were overtaken on "
            f"the way, or lost before this point and sent again."
        )


@dataclass(frozen=True, slots=True)
class GapSeen(Event):
    """Numbers between the last segment and this one were not seen."""

    code: ClassVar[str] = "gap"
    section: ClassVar[str] = "3.10.7.4"

    by: Role
    count: int

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"{octets(self.count).capitalize()} that the {self.by} numbered before this segment "
            f"have not been seen: late, lost, or not captured."
        )


@dataclass(frozen=True, slots=True)
class DuplicateAck(Event):
    """An ACK said again what is awaited."""

    code: ClassVar[str] = "duplicate-ack"
    section: ClassVar[str] = "RFC 5681 2"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by} repeats its last ACK: what came was out of order, or came again."


@dataclass(frozen=True, slots=True)
class AckedAgain(Event):
    """An ACK answered something that had come before, or nothing: nobody waits for it."""

    code: ClassVar[str] = "ack-again"
    section: ClassVar[str] = "3.10.7.4"

    by: Role
    handshake: bool
    """Whether it answers a repeated SYN,ACK."""

    @property
    def text(self) -> str:
        """The fact in English."""
        if self.handshake:
            return f"The {self.by} acknowledges the repeated SYN+ACK: it had done so before."
        return f"The {self.by} says again what it expects next: what it heard, it had already."


@dataclass(frozen=True, slots=True)
class WindowClosed(Event):
    """A zero window: the buffer is full."""

    code: ClassVar[str] = "zero-window"
    section: ClassVar[str] = "3.8.6"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by}'s window is 0: its buffer is full, and the peer must wait."


@dataclass(frozen=True, slots=True)
class WindowUpdated(Event):
    """An ACK that acknowledged nothing new changed the window."""

    code: ClassVar[str] = "window-update"
    section: ClassVar[str] = "3.8.6"

    by: Role
    window: int
    """Octets, scaled."""

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by} says that it has room for {octets(self.window)} now."


@dataclass(frozen=True, slots=True)
class KeepAlive(Event):
    """A segment with the number before SND.NXT asked whether the peer is still there."""

    code: ClassVar[str] = "keep-alive"
    section: ClassVar[str] = "3.8.4"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"Keep-alive: the {self.by} asks whether the {self.by.other} is still there."


@dataclass(frozen=True, slots=True)
class WindowProbe(Event):
    """A segment asked an end whose window was zero whether it has room now."""

    code: ClassVar[str] = "window-probe"
    section: ClassVar[str] = "3.8.6.1"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"Window probe: the {self.by} asks whether the {self.by.other} has room now."


@dataclass(frozen=True, slots=True)
class KeepAliveAck(Event):
    """The answer to a keep-alive."""

    code: ClassVar[str] = "keep-alive-ack"
    section: ClassVar[str] = "3.8.4"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by} answers: it is still there."
