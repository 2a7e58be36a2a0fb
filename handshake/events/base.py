"""A step: one segment and all that it changed at both ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import ControlBlock, Observed, Segment


class Role(Enum):
    """Which end: the one that called, or the one that was called."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> Role:
        """The opposite end."""
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Event(ABC):
    """A fact, in the past tense. Its fields say what an explanation needs, each in one unit."""

    code: ClassVar[str]
    """A name that programs may rely on; it never changes."""

    section: ClassVar[str]
    """Where the rule stands: a section of RFC 9293, or another RFC by its number."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The fact in one or two English sentences."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a segment did to one end's control block. None: nothing is known of that end."""

    before: ControlBlock | None
    after: ControlBlock | None

    @property
    def changed(self) -> tuple[str, ...]:
        """The fields that differ, in the block's order: `state`, `snd.nxt`, `rcv.irs` ..."""
        before = dict(_flat(self.before))
        return tuple(
            name
            for name, value in _flat(self.after)
            if name != "inferred"
            and before.get(name) != value
            and not (name not in before and value in _NOTHING)
        )


_NOTHING: Final = (None, False, ())
"""What a field holds that says nothing yet: no change for an end that was unknown before."""


def _flat(block: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if block is None:
        return
    assert is_dataclass(block)
    for each in fields(block):
        value = getattr(block, each.name)
        if each.name in ("snd", "rcv"):
            yield from _flat(value, f"{each.name}.")
        else:
            yield prefix + each.name, value


@dataclass(frozen=True, slots=True)
class Step:
    """One segment of a connection, and what it changed at both ends."""

    stream: int
    """The connection's number in its capture, from 0: Wireshark's `tcp.stream`."""

    index: int
    """The segment's number in its connection, from 1."""

    observed: Observed
    since_start: int
    """Nanoseconds since the connection's first segment."""

    by: Role
    """Who sent it."""

    sender: Change
    receiver: Change
    events: tuple[Event, ...]

    inferred: bool = False
    """Whether what is said of either end was concluded and not proven by the wire."""

    @property
    def segment(self) -> Segment:
        """The segment itself."""
        return self.observed.segment

    @property
    def client(self) -> Change:
        """What it changed at the end that called."""
        return self.sender if self.by is Role.CLIENT else self.receiver

    @property
    def server(self) -> Change:
        """What it changed at the end that was called."""
        return self.receiver if self.by is Role.CLIENT else self.sender

    @property
    def why(self) -> str:
        """What happened and why, in English."""
        return " ".join(event.text for event in self.events)

    @property
    def section(self) -> str | None:
        """Where the first of its events stands in the RFC; None where there is none."""
        return self.events[0].section if self.events else None


def octets(count: int) -> str:
    """Return a count of octets in words."""
    return "1 octet" if count == 1 else f"{count} octets"


def seconds(value: float) -> str:
    """Return a time in the unit that reads best: `0.0205 ms`, `28.4 ms`, `1.02 s`."""
    if value < 0.9995:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s"
