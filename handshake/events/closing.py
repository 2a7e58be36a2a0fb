"""Events of a connection that ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from handshake.events.base import Event, Role


@dataclass(frozen=True, slots=True)
class FinSent(Event):
    """An end has no more to send."""

    code: ClassVar[str] = "fin"
    section: ClassVar[str] = "3.6"

    by: Role
    first: bool
    """Whether the other end may still send."""

    @property
    def text(self) -> str:
        """The fact in English."""
        if self.first:
            return (
                f"FIN: the {self.by} has no more to send. That closes its half only: the "
                f"{self.by.other} may go on."
            )
        return f"FIN: the {self.by} has no more to send either."


@dataclass(frozen=True, slots=True)
class SimultaneousClose(Event):
    """Both ends sent FIN before they had the other's."""

    code: ClassVar[str] = "simultaneous-close"
    section: ClassVar[str] = "3.6"

    @property
    def text(self) -> str:
        """The fact in English."""
        return "Both FINs were on the way at once: each end goes through CLOSING (figure 13)."


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """Both FINs are acknowledged: the connection is over."""

    code: ClassVar[str] = "closed"
    section: ClassVar[str] = "3.6"

    waiting: tuple[Role, ...]
    """Who stays in TIME-WAIT."""

    @property
    def text(self) -> str:
        """The fact in English."""
        over = "Both FINs are acknowledged: the connection is over."
        if not self.waiting:
            return over
        if len(self.waiting) > 1:
            return f"{over} Both ends stay in TIME-WAIT, in case a last ACK was lost."
        return f"{over} The {self.waiting[0]} stays in TIME-WAIT, in case its last ACK was lost."


@dataclass(frozen=True, slots=True)
class ResetRefused(Event):
    """A RST came that its receiver must not believe."""

    code: ClassVar[str] = "reset-refused"
    section: ClassVar[str] = "RFC 5961 3"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"RST in the name of the {self.by}, with a number that the {self.by.other} does not "
            f"expect: anyone could have sent it."
        )


@dataclass(frozen=True, slots=True)
class Aborted(Event):
    """A RST ended the connection at once."""

    code: ClassVar[str] = "reset"
    section: ClassVar[str] = "3.5.3"

    by: Role

    @property
    def text(self) -> str:
        """The fact in English."""
        return (
            f"RST: the {self.by} breaks the connection off. What was on the way is lost, and both "
            f"ends forget what they knew."
        )
