"""Events of a connection that closes, or is reset."""

from __future__ import annotations

from handshake.events.base import Event, Role
from handshake.tcp.copy import value


@value(frozen=True, slots=True)
class FinSent(Event, code="fin", section="3.6"):
    """An end sent FIN: it has no more data to send."""

    by: Role
    first: bool
    """Whether the other end may still send."""

    @property
    def variant(self) -> str:
        """Whether it is the first FIN of the connection."""
        return "first" if self.first else "second"


@value(frozen=True, slots=True)
class SimultaneousClose(Event, code="simultaneous-close", section="3.6"):
    """Both ends sent FIN before either received the other's."""


@value(frozen=True, slots=True)
class Closed(Event, code="closed", section="3.6"):
    """Both FINs were acknowledged: the connection is closed."""

    waiting: tuple[Role, ...]
    """The ends that stay in TIME-WAIT."""

    @property
    def variant(self) -> str:
        """How many ends wait."""
        return ("none-waits", "one-waits", "both-wait")[len(self.waiting)]


@value(frozen=True, slots=True)
class ResetRefused(Event, code="reset-refused", section="RFC 5961 3"):
    """A RST came that its receiver must not accept."""

    by: Role
    ours: bool = False
    """Whether it was seen leaving: the machine that captured it did send it."""

    @property
    def variant(self) -> str:
        """Whether its sender is known."""
        return "sent" if self.ours else "received"


@value(frozen=True, slots=True)
class Aborted(Event, code="reset", section="3.5.3"):
    """A RST ended the connection at once."""

    by: Role
