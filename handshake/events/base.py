"""A step: one segment and all that it changed at both ends; and what every event is."""

from __future__ import annotations

from dataclasses import field, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from handshake import messages
from handshake.tcp.copy import value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events.fate import Fate
    from handshake.tcp import ControlBlock, Observed, Segment


class Role(Enum):
    """Which end: the one that opened the connection, or the one that accepted it."""

    CLIENT = "client"
    SERVER = "server"

    # By identity: an enum hashes its name each time, and every observer looks its ends up.
    __hash__ = object.__hash__

    other: Role
    """The opposite end."""

    def __str__(self) -> str:
        return str(self.value)


Role.CLIENT.other, Role.SERVER.other = Role.SERVER, Role.CLIENT


@value(frozen=True, slots=True)
class Event:
    """A fact, in the past tense: a code, the section that states the rule, and fields.

    Its sentence stands in `messages/en/events.toml` under the code, or under `code.variant` where
    the code has several. It names the event's fields and properties, each in one unit.
    """

    code: ClassVar[str]
    """A name that programs may rely on; it never changes."""

    section: ClassVar[str]
    """Where the rule stands: a section of RFC 9293, or another RFC by its number."""

    def __init_subclass__(cls, *, code: str = "", section: str = "") -> None:
        # To give a class slots, `dataclass` makes it anew, without arguments: it has both by then.
        if code:
            cls.code, cls.section = code, section

    @property
    def variant(self) -> str:
        """Which of its code's sentences fits; empty where there is only one."""
        return ""

    @property
    def text(self) -> str:
        """The fact in one or two English sentences."""
        return self.said(messages.ENGLISH)

    def said(self, language: str) -> str:
        """Return the fact in one or two sentences of a language."""
        return messages.text("events", self.code, self, language, variant=self.variant)

    def __getitem__(self, name: str) -> object:
        return getattr(self, name)


@value(frozen=True, slots=True)
class Change:
    """What a segment changed in one end's control block. None: nothing is known of that end."""

    before: ControlBlock | None
    after: ControlBlock | None

    @property
    def any(self) -> bool:
        """Whether any field differs that `changed` would name."""
        before, after = self.before, self.after
        if before is after or after is None:
            return False
        return (before is not None and before.state is not after.state) or bool(self.changed)

    @property
    def changed(self) -> tuple[str, ...]:
        """The fields that differ, in the block's order: `state`, `snd.nxt`, `rcv.irs` ..."""
        before = dict(_flat(self.before))
        return tuple(
            name
            for name, value in _flat(self.after)
            if name not in ("inferred", "snd.max_wnd")
            and before.get(name) != value
            and not (name not in before and value in _NOTHING)
        )


_NOTHING: Final = (None, False, ())
"""Values of a field that is not set yet: no change for an end that was unknown before."""


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


class Copy(NamedTuple):
    """What a packet is a copy of."""

    original: Observed
    replayed: bool
    """Whether an earlier part of the capture was played again: its time is not that of a path."""


@value(frozen=True, slots=True)
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
    """The end that sent it."""

    sender: Change
    receiver: Change
    events: tuple[Event, ...]

    inferred: bool = False
    """Whether the state of either end is inferred, not proven by the packets."""

    marks: int = 0
    """Wireshark's marks of the segment: a sum of `tracker.wireshark.Mark`."""

    own_marks: int = 0
    """The same where copies are left out: those that Wireshark takes for retransmissions."""

    copy: Copy | None = None
    """What it is a copy of; None for a segment that was sent."""

    damaged: bool = False
    """Whether its receiver drops it for its wrong checksum, for all that is known."""

    fate: Fate | None = None
    """What became of it; None while the rest of the connection is not known."""

    segment: Segment = field(init=False, repr=False, compare=False)
    """The segment itself."""

    def __post_init__(self) -> None:
        # It is frozen for mypy alone (`tcp.copy.value`).
        self.segment = self.observed.segment  # type: ignore[misc]

    @property
    def scapy(self) -> Any:
        """The Scapy packet that it explains: of `track` and `HandshakeSession`; else None."""
        return self.observed.origin

    @property
    def client(self) -> Change:
        """What it changed at the client."""
        return self.sender if self.by is Role.CLIENT else self.receiver

    @property
    def server(self) -> Change:
        """What it changed at the server."""
        return self.receiver if self.by is Role.CLIENT else self.sender

    @property
    def why(self) -> str:
        """What happened and why, in English."""
        return self.said(messages.ENGLISH)

    def said(self, language: str) -> str:
        """Return what happened and why, in a language."""
        return " ".join(event.said(language) for event in self.events)

    @property
    def section(self) -> str | None:
        """The section of its first event; None where it has no event."""
        return self.events[0].section if self.events else None
