"""A scene: both sockets and the header between them, at one moment."""

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
    """A program makes a system call, and nothing is sent."""

    LEAVES = "leaves"
    """A segment leaves: its sender has updated its state, its receiver knows nothing yet."""

    ARRIVES = "arrives"
    """A segment arrives: its receiver processes it, its sender does not know."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment of a lesson, without its text."""

    name: str
    """The key of its text."""

    at: int
    """Nanoseconds since the first segment left; 0 before it."""

    moment: Moment
    client: Change
    server: Change

    client_line: int
    """The line that the client's program has reached, from 0."""

    server_line: int

    step: Step | None = None
    """The tracker's step for the segment; None in a CALL."""

    changed: frozenset[str] = frozenset()
    """Header fields that differ from those of the segment before."""

    @property
    def segment(self) -> Segment | None:
        """The segment in flight."""
        return None if self.step is None else self.step.segment

    @property
    def by(self) -> Role | None:
        """The sender."""
        return None if self.step is None else self.step.by


@dataclass(frozen=True, slots=True)
class Lesson:
    """Scenes in order; the text is in the directory named after the lesson."""

    name: str
    scenes: tuple[Scene, ...]

    client_program: tuple[str, ...]
    """The system calls of the client's program, one a line."""

    server_program: tuple[str, ...]
