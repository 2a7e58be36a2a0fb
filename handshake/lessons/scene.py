"""A scene: what stands in both sockets, and the header between them, at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handshake.events import Change, Role, Step
    from handshake.tcp import Segment


class Moment(Enum):
    """What a scene shows."""

    CALL = "call"
    """A program calls its kernel, and nothing is sent."""

    LEAVES = "leaves"
    """A segment leaves: its sender has written down what it sent, its receiver knows nothing."""

    ARRIVES = "arrives"
    """A segment arrives: its receiver reads it, its sender cannot know that."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of a lesson, in no language."""

    name: str
    """What its text goes by."""

    at: int
    """Nanoseconds since the first segment left; 0 before it."""

    moment: Moment
    client: Change
    server: Change

    client_line: int
    """Which line of its program the client has reached, counted from 0."""

    server_line: int

    step: Step | None = None
    """What the tracker says of the segment; None in a CALL."""

    changed: frozenset[str] = frozenset()
    """Header fields that differ from those of the segment before."""

    @property
    def segment(self) -> Segment | None:
        """The segment on its way."""
        return None if self.step is None else self.step.segment

    @property
    def by(self) -> Role | None:
        """Who sends."""
        return None if self.step is None else self.step.by


@dataclass(frozen=True, slots=True)
class Lesson:
    """Scenes in order; its text is read from the package's folder of that name."""

    name: str
    scenes: tuple[Scene, ...]

    client_program: tuple[str, ...]
    """The calls that the client's program makes, one a line."""

    server_program: tuple[str, ...]


def differing(before: Segment | None, segment: Segment) -> frozenset[str]:
    """Return the header fields that differ between two segments; none for the first one."""
    if before is None:
        return frozenset()
    fields = {
        "source": (before.source.port, segment.source.port),
        "destination": (before.destination.port, segment.destination.port),
        "seq": (before.seq, segment.seq),
        "ack": (before.ack_field, segment.ack_field),
        "data_offset": (before.data_offset, segment.data_offset),
        "reserved": (before.reserved, segment.reserved),
        "flags": (before.flags, segment.flags),
        "window": (before.window, segment.window),
        "checksum": (before.checksum, segment.checksum),
        "urgent": (before.urgent, segment.urgent),
        "options": (before.options, segment.options),
    }
    return frozenset(name for name, (old, new) in fields.items() if old != new)
