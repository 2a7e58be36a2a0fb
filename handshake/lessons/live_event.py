"""What happened on two real hosts, and in what it differs from what a lesson says."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.lessons.scene import Moment
from handshake.tcp import Flags
from handshake.tcp.option_kinds import Kind
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.errors import HandshakeError
    from handshake.lessons.scene import Scene
    from handshake.lessons.ss import SsRow
    from handshake.tcp import Segment
    from handshake.tcp.icmp import IcmpError

_LATE: Final = 250 * NS_PER_MS
"""By how much a busy machine may be late, in nanoseconds."""

_COARSE: Final = 7
"""The kernel's timers are coarse: a long one may be late by a part of 8 of its time."""

_OPTIONS: Final[dict[int, str]] = {
    Kind.NOP: "nop",
    Kind.SACK_PERMITTED: "sackOK",
    Kind.SACK: "sack",
    Kind.TIMESTAMPS: "TS",
    Kind.FAST_OPEN: "tfo",
}

_BOOKKEEPING: Final = 16

_WIRE: Final = (Moment.LEAVES, Moment.LOST, Moment.REJECTED)


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One thing that happened, with what `ss` showed then."""

    part: str
    name: str
    """As that of the scene in the lesson, without the part."""

    at: int
    """Nanoseconds since the part began."""

    moment: Moment
    by: Role
    segment: Segment | None = None
    sockets: tuple[tuple[SsRow, ...], tuple[SsRow, ...]] = ((), ())
    error: IcmpError | None = None
    """What a router reported."""

    result: str = ""
    """What a call returned, where this is its return: 0, or the name of the error."""

    late: int = 0
    """For how many nanoseconds before it the hosts had to wait for the process that plays them."""

    def differs_by(self, at: int) -> int:
        """Return by how much it was late, or early, if it was to happen at this time.

        That a host had to wait may have delayed it, or not: its timers go on.
        """
        return max(self.at - self.late - at, at - self.at, 0)


@dataclass(frozen=True, slots=True)
class LiveScene:
    """What is known of a scene on the real hosts, at this moment."""

    event: LiveEvent | None = None
    """What happened; None if it has not happened, or never will."""

    differences: tuple[tuple[str, str, str], ...] = ()
    """The item, what the lesson says, what the kernel did."""

    returned: tuple[LiveEvent, ...] = ()
    """The calls that returned between this scene and the next one that is told."""

    unexpected: tuple[LiveEvent, ...] = ()
    """What the kernel sent besides, at the end of a part."""

    waits: bool = False
    """Whether it may still happen."""

    seconds: float = 0.0
    """How long the kernel has been at it."""

    problem: HandshakeError | None = None
    """Why no kernel plays the lesson."""


@dataclass
class LivePart:
    """What has happened so far in one part."""

    events: list[LiveEvent] = field(default_factory=list)
    ended: bool = False
    """Whether nothing more will be seen."""

    def find(self, scene: Scene) -> LiveEvent | None:
        """Return the event that a scene tells of; None if it has not happened."""
        name = bare_name(scene)
        return next((each for each in self.events if each.name == name), None)

    def returned(self, event: LiveEvent | None, until: LiveEvent | None) -> tuple[LiveEvent, ...]:
        """Return the calls that returned between two events; without `until`, up to now."""
        if event is None:
            return ()
        end = None if until is None else until.at
        # That a timer ended something is seen a little later than the call returns.
        begin = event.at - (_LATE if event.moment is Moment.ENDS else 0)
        return tuple(
            each
            for each in self.events
            if each.result and each.at >= begin and (end is None or each.at < end)
        )

    def unexpected(self, played: Sequence[Scene]) -> list[LiveEvent]:
        """Return the segments of which the lesson knows nothing."""
        known = {bare_name(each) for each in played}
        return [each for each in self.events if each.moment in _WIRE and each.name not in known]

    def differences(
        self, scene: Scene, played: Sequence[Scene]
    ) -> tuple[tuple[str, str, str], ...]:
        """Return in what a scene was otherwise: the item, the lesson's value, the kernel's.

        `played` are all scenes of the part. Empty, too, where it has not happened yet.
        """
        event = self.find(scene)
        if event is None:
            return (("event", bare_name(scene), ""),) if self.ended else ()
        found = []
        if scene.segment is not None and event.segment is not None:
            said = _header(scene.segment, *_numbers([each.segment for each in played]))
            sent = _header(event.segment, *_numbers([each.segment for each in self.events]))
            found += [
                (name, said[name], sent[name])
                for name in said
                if said[name] != sent[name] and not (name == "window" and _alike(scene, event))
            ]
        if scene.error is not None:
            error, other = _reported(scene.error), _reported(event.error)
            found += [("icmp", error, other)] if error != other else []
        if event.differs_by(scene.at) > _LATE + self._timer(scene, played) // _COARSE:
            found.append(("time", f"{scene.at / NS_PER_MS:.1f}", f"{event.at / NS_PER_MS:.1f}"))
        before, other = self._order(scene, event, played)
        if before != other:
            found.append(("order", before, other))
        for role, said_rows, rows in zip(Role, scene.sockets, event.sockets, strict=True):
            if said_rows != rows:
                told = _printed(said_rows), _printed(rows)
                found.append((f"ss {role}", *told))
        return tuple(found)

    def _timer(self, scene: Scene, played: Sequence[Scene]) -> int:
        """Return how long the lesson waited for this, or for what led to it."""
        times = [each.at for each in played if each.at <= scene.at]
        return max((b - a for a, b in pairwise(times)), default=0)

    def _order(self, scene: Scene, event: LiveEvent, played: Sequence[Scene]) -> tuple[str, str]:
        """Return what this end had sent before this segment: in the lesson, and in truth."""
        if scene.moment not in _WIRE:
            return "", ""
        said = [bare_name(each) for each in played if each.moment in _WIRE and each.by is scene.by]
        sent = [each.name for each in self.events if each.moment in _WIRE and each.by is event.by]
        return _before(said, event.name), _before(sent, event.name)


def bare_name(scene: Scene) -> str:
    """Return the name of a scene without its part."""
    return scene.seen_as or scene.name.rpartition(".")[2]


def _alike(scene: Scene, event: LiveEvent) -> bool:
    """Whether windows differ by no more than what a kernel takes off for its own bookkeeping.

    Those of SYNs are exact.
    """
    if scene.segment is None or event.segment is None or scene.segment.syn:
        return False
    return abs(event.segment.window - scene.segment.window) <= scene.segment.window // _BOOKKEEPING


def _reported(error: IcmpError | None) -> str:
    return "" if error is None else f"{error} {error.sender}"


def _printed(rows: Sequence[SsRow]) -> str:
    return " | ".join(f"{each} {each.info}".rstrip() for each in rows)


def _before(names: Sequence[str], name: str) -> str:
    place = names.index(name)
    return names[place - 1] if place else ""


def _numbers(segments: Sequence[Segment | None]) -> tuple[int, int]:
    """Return the initial sequence numbers: of the end that sent the first SYN, and of the other."""
    found: dict[object, int] = {}
    for each in segments:
        if each is not None and each.syn:
            found.setdefault(each.source, int(each.seq))
    client, server = [*found.values(), 0, 0][:2]
    return client, server


def _header(segment: Segment, client: int, server: int) -> dict[str, str]:
    """Return the fields that both must have alike: numbers count from the SYNs."""
    mine, other = (client, server) if segment.destination.port == 80 else (server, client)
    # The RST of a host without a socket has no number of its own.
    seq = int(segment.seq) - mine if int(segment.seq) else 0
    return {
        "flags": str(segment.flags & ~Flags.PSH),
        "seq": str(seq % 2**32),
        "ack": "" if segment.ack is None else str((int(segment.ack) - other) % 2**32),
        "length": str(segment.payload_length),
        "window": str(segment.window),
        "options": ", ".join(_option(segment, each.kind) for each in segment.options),
    }


def _option(segment: Segment, kind: int) -> str:
    """Return an option as tcpdump names it; of clocks and cookies not the value."""
    match kind:
        case Kind.MSS:
            return f"mss {segment.options.mss}"
        case Kind.WINDOW_SCALE:
            return f"wscale {segment.options.window_scale}"
    return _OPTIONS.get(kind, f"kind {kind}")
