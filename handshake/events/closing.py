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
        who = " and ".join(f"the {role}" for role in self.waiting)
        waits = f" {who.capitalize()} stays in TIME-WAIT for a while." if len(who) else ""
        if len(self.waiting) > 1:
            waits = " Both ends stay in TIME-WAIT for a while."
        return f"Both halves are closed, and both ends know it.{waits}"


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
