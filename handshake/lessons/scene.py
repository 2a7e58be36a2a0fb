"""A scene: both sockets and the header between them, at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from handshake.events import Change
from handshake.tcp import State

if TYPE_CHECKING:
    from handshake.events import Role, Step
    from handshake.lessons.script import Part
    from handshake.lessons.ss import SsRow
    from handshake.tcp import ControlBlock, Segment
    from handshake.tcp.icmp import IcmpError


class Moment(Enum):
    """What a scene shows."""

    CALL = "call"
    """A program makes a system call, and nothing is sent."""

    LEAVES = "leaves"
    """A segment leaves: its sender has updated its state, its receiver knows nothing yet."""

    ARRIVES = "arrives"
    """A segment arrives: its receiver processes it, its sender does not know."""

    LOST = "lost"
    """A segment leaves, and is lost on the way: its receiver never knows."""

    REPORTED = "reported"
    """An ICMP error arrives: a router has dropped a segment, and says why."""

    REJECTED = "rejected"
    """A segment leaves, and a router on the way drops it and says so."""

    ENDS = "ends"
    """A timer runs out, and the connection ends: nothing is sent."""


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

    segment: Segment | None = None
    """The segment in flight; None where nothing is sent."""

    by: Role | None = None
    """Its sender, or the host on which something happens."""

    changed: frozenset[str] = frozenset()
    """Header fields that differ from those of the segment before."""

    part: str = ""
    """The part of the lesson that it belongs to: each begins anew."""

    sockets: tuple[tuple[SsRow, ...], tuple[SsRow, ...]] = ((), ())
    """What `ss -tan` prints on the client's and on the server's host."""

    seen_as: str = ""
    """The name of what is seen of it on a real host, where that is not its own."""

    last_try: bool = False
    """Whether its sender gives up if it is not answered, instead of sending it again."""

    number: int = 0
    """Of a call, how many SYNs arrive, or which number a forged RST has."""

    error: IcmpError | None = None
    """What a router reports."""

    sends: tuple[Segment, ...] = ()
    """What is sent at once because of it: by the receiver of a segment, or by who makes a call."""

    step: Step | None = None
    """The tracker's step for the segment, where a tracker was asked."""

    @property
    def moves(self) -> bool:
        """Whether the state of an end changes."""
        return any(
            each.before is not each.after
            and (each.before and each.before.state) is not (each.after and each.after.state)
            for each in (self.client, self.server)
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """Scenes in order; the text is in the directory named after the lesson."""

    name: str
    scenes: tuple[Scene, ...]

    client_program: tuple[str, ...] = ()
    """The system calls of the client's program, one a line."""

    server_program: tuple[str, ...] = ()
    played: tuple[Scene, ...] = ()
    """All that happened, where `scenes` are a choice of it; empty where they are all."""

    parts: tuple[Part, ...] = ()
    """What was played, where it was."""

    asides: tuple[Part, ...] = ()
    """What only a real kernel shows, after the last scene."""

    tables: bool = False
    """Whether a text to read shows in each step what both sockets have recorded."""

    variant_of: str = ""
    """Of a what-if, the name of the lesson whose conditions were changed."""

    options: bool = False
    """Whether the options of a SYN are shown rather than its numbers."""

    def until(self, index: int) -> tuple[Scene, ...]:
        """Return what happened in the same part, up to and including the scene with this number."""
        scene, played = self.scenes[index], self.played or self.scenes
        last = next(place for place, each in enumerate(played) if each is scene)
        return tuple(each for each in played[: last + 1] if each.part == scene.part)

    def unanswered(self, index: int) -> Lesson:
        """Return the lesson with both ends in this scene as they were: the question is open.

        A ladder shows what has happened, and stays as it is.
        """
        if self.played or not index:
            return self
        scene = self.scenes[index]
        client, server = (
            each if each.before is None else Change(each.before, each.before)
            for each in (scene.client, scene.server)
        )
        before = replace(
            scene, client=client, server=server, sockets=self.scenes[index - 1].sockets
        )
        return replace(self, scenes=(*self.scenes[:index], before, *self.scenes[index + 1 :]))

    def changes(self, index: int) -> tuple[Change, Change]:
        """Return what has changed at the client and at the server since the step before this one.

        That may be more than its scene changed: not all that happened is a step.
        """
        scene, begun = self.scenes[index], self.until(index)[0]
        before = begun.client.before, begun.server.before
        if index and self.scenes[index - 1].part == scene.part:
            earlier = self.scenes[index - 1]
            before = earlier.client.after, earlier.server.after
        elif before[0] is not None and before[0].state is State.CLOSED:
            before = None, before[1]  # connect() fills an empty socket
        return (
            Change(before[0], scene.client.after),
            Change(_same_socket(before[1], scene.server.after), scene.server.after),
        )


def _same_socket(before: ControlBlock | None, after: ControlBlock | None) -> ControlBlock | None:
    """Return the block before; None where it is that of the listening socket, which stays."""
    listened = before is not None and before.state is State.LISTEN
    return None if listened and after != before else before
