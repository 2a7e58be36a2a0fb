"""Events of TCP Fast Open: data before the handshake is done (RFC 7413)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handshake.events.base import Event, Role, octets


@dataclass(frozen=True, slots=True)
class CookieRequested(Event):
    """A SYN asked for a Fast Open cookie."""

    code: ClassVar[str] = "fast-open-requested"
    section: ClassVar[str] = "RFC 7413 4.1.2"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by} also asks for a Fast Open cookie, to send data in a later SYN."


@dataclass(frozen=True, slots=True)
class CookieGiven(Event):
    """A SYN,ACK brought a Fast Open cookie."""

    code: ClassVar[str] = "fast-open-cookie"
    section: ClassVar[str] = "RFC 7413 4.1.2"

    by: Role
    cookie: bytes

    @property
    def text(self) -> str:
        """The fact in English."""
        return f"The {self.by} gives a Fast Open cookie of {octets(len(self.cookie))}."


@dataclass(frozen=True, slots=True)
class FastOpenTried(Event):
    """A SYN brought a Fast Open cookie, or data, or both."""

    code: ClassVar[str] = "fast-open-tried"
    section: ClassVar[str] = "RFC 7413 4.2.1"

    by: Role
    carried: int
    """Octets of data in the SYN."""

    cookie: bool
    """Whether it shows a cookie."""

    @property
    def text(self) -> str:
        """The fact in English."""
        if not self.carried:
            return "Fast Open: the SYN shows a cookie, and carries no data."
        if not self.cookie:
            return (
                f"The SYN carries {octets(self.carried)} of data, without a Fast Open cookie: a "
                f"listener may keep them only until the handshake is done."
            )
        return (
            f"Fast Open: the SYN shows a cookie and carries {octets(self.carried)} of data, "
            f"before the handshake is done."
        )


@dataclass(frozen=True, slots=True)
class FastOpenAnswered(Event):
    """The SYN,ACK told how much of the data in the SYN was taken."""

    code: ClassVar[str] = "fast-open-answered"
    section: ClassVar[str] = "RFC 7413 4.2.2"

    by: Role
    taken: int
    carried: int

    @property
    def text(self) -> str:
        """The fact in English."""
        if self.taken:
            return f"The {self.by} took {octets(self.taken)} of the SYN's data."
        return (
            f"The {self.by} acknowledged the SYN alone: the {octets(self.carried)} of data that "
            f"came with it must be sent again."
        )
