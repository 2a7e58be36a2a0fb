"""Events of TCP Fast Open: data before the handshake completes (RFC 7413)."""

from __future__ import annotations

from handshake.events.base import Event, Role
from handshake.tcp.copy import value


@value(frozen=True, slots=True)
class CookieRequested(Event, code="fast-open-requested", section="RFC 7413 4.1.2"):
    """A SYN requested a Fast Open cookie."""

    by: Role


@value(frozen=True, slots=True)
class CookieGiven(Event, code="fast-open-cookie", section="RFC 7413 4.1.2"):
    """A SYN-ACK carried a Fast Open cookie."""

    by: Role
    cookie: bytes


@value(frozen=True, slots=True)
class FastOpenTried(Event, code="fast-open-tried", section="RFC 7413 4.2.1"):
    """A SYN carried a Fast Open cookie, or data, or both."""

    by: Role
    carried: int
    """Octets of data in the SYN."""

    cookie: bool
    """Whether it has a cookie."""

    @property
    def variant(self) -> str:
        """What the SYN carries."""
        return ("both" if self.cookie else "data") if self.carried else "cookie"


@value(frozen=True, slots=True)
class FastOpenAnswered(Event, code="fast-open-answered", section="RFC 7413 4.2.2"):
    """The SYN-ACK showed how much of the data in the SYN was accepted."""

    by: Role
    taken: int
    carried: int

    @property
    def variant(self) -> str:
        """Whether any of it was."""
        return "accepted" if self.taken else "rejected"
