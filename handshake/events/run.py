"""A run: segments in which nothing happens, taken into account at once instead of one by one.

Data that is not old and acknowledgments, new or repeated, of two ends that are ESTABLISHED change
numbers and counters, and nothing that a rule asks about. `RunStart` tells where such a run may
begin, `Run` what it contains. As long as nothing is missing, sums tell all of it. Where octets are
missing, it matters in which order data and acknowledgments come: then a run has its `Piece`s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from handshake.events.base import Role
from handshake.tcp.checksum import Checksum
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import Observed, Seq

PAUSE: Final = 60 * NS_PER_SECOND
"""Nanoseconds of inactivity before which no rule depends on time (`findings.resets.IDLE`)."""

ALIKE: Final = 4
"""Packets with the same numbers that are remembered to tell a copy."""


@dataclass(slots=True)
class RunEnd:
    """What one end sent before a run, or up to the end of it. Numbers are those of headers."""

    nxt: int
    """The sequence number that it sends next."""

    ack: int
    """Its last acknowledgment number, the highest so far."""

    clock: int | None
    """The timestamp of it that the other end echoes; None where timestamps are not in force."""

    ttl: int
    """The TTL of its last segment; -1 if it has sent nothing but its SYN."""

    data: bool
    """Whether it has sent data before."""

    acks: bool
    """Whether it has sent acknowledgments without data."""

    acknowledged: bool
    """Whether data of it was ever acknowledged."""

    whole: bool
    """Whether payloads that were captured whole may be in the run."""

    cut: bool
    """Whether payloads that the snap length cut may be: what was before them is acknowledged."""

    number: int
    """The identification of its last packet; 0 if it has none."""

    zeros: bool = False
    """Whether checksums of 0 were acknowledged before, so that it matters no more which are."""

    damaged: bool = False
    """Whether it is believed with wrong checksums, too, as these were acknowledged."""

    constant: bool = False
    """Whether identifications do not tell its packets apart."""

    clean: bool = True
    """Whether acknowledged octets that were not captured count as missed."""

    gaps_before: int = 0
    """How many gaps were counted so far."""

    probes: bool = False
    """Whether its last segment was a keep-alive: what answers it is no duplicate ACK."""

    sent: int = 0
    """The number after all that it sent, captured or not."""

    reached: int = 0
    """The number up to which nothing of it is missing, or was acknowledged though it is."""

    expected: int = 0
    """The number that the other end expects next, or one before it."""

    room: int | None = None
    """How far from there on the other end takes its data: the window; None where not known."""

    unopened: bool = False
    """Whether it sent data beyond the window in the run."""

    shift: int | None = None
    """How its window fields are scaled; None where not known."""

    in_a_row: int = 0
    """Its duplicate ACKs in a row, as `tracker.wireshark` counts them."""

    alike: tuple[int, ...] = ()
    """The identifications of its last ACKs without data that have its numbers as they are now."""

    # What it sent in the run.

    repeats: bool = False
    """Whether two packets in a row have the same identification."""

    segments: int = 0
    carrying: int = 0
    """Segments with data."""

    payload: int = 0
    """Octets of payload."""

    octets: int = 0
    """Octets of IP packets, headers included."""

    gaps: int = 0
    """How often data of it was acknowledged that the snap length had cut, in the run."""

    gained: int = 0
    """How many octets it newly acknowledged."""

    repeated: int = 0
    """Its duplicate ACKs."""

    updates: int = 0
    """ACKs that tell nothing but another window."""

    unknown: int = 0
    """Segments whose checksum cannot be verified."""

    partial: int = 0
    """Segments whose checksum was left to the network card."""

    wrong: int = 0
    """Segments whose checksum is wrong."""

    zero: int = 0
    """Segments whose checksum is 0."""

    first_partial: int | None = None
    first_wrong: int | None = None
    """The place of the first of each kind in the run."""

    first_seq: int = 0
    first_ack: int = 0
    """The sequence and acknowledgment number of its first segment in the run."""

    seq: int = 0
    """The sequence number of its last segment."""

    window: int = 0
    most: int = 0
    """The window field of its last segment, and the largest one."""

    place: int = -1
    """The place of its last segment in the run."""

    sent_at: int = 0
    """When it last sent numbers beyond all before."""

    at: int = 0
    """When its last segment was sent."""

    ahead: int = 0
    """Octets of payload of its last segment."""


@dataclass(slots=True)
class Stretch:
    """Octets in a row that one end sent in a run, after which nothing of it was acknowledged."""

    by: Role
    seq: int
    length: int
    """None are there if only an ACK came that is ahead."""

    whole: bool
    """Whether they were captured, not cut off by the snap length."""


class Gain(NamedTuple):
    """A new acknowledgment in a run."""

    by: Role
    """Who acknowledges."""

    ack: int
    unseen: int
    """How many numbers it acknowledges that the other end had not sent before, as far as seen."""

    nxt: int
    """The number after all that was captured of the other end."""

    place: int
    """The segment's place in the run."""


class First(NamedTuple):
    """The first segment of an end with data, or the first one without."""

    by: Role
    data: bool


Piece: TypeAlias = Stretch | Gain | First


class Passing(NamedTuple):
    """A packet of a run whose packets are captured more than once."""

    by: Role
    at: int
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    """Octets of payload."""

    captured: int
    """How many of them were captured."""

    octets: int
    """Those of the IP packet, headers included."""

    copy: bool


@dataclass(slots=True)
class CopySum:
    """The copies of one end's packets in a run."""

    count: int = 0
    carrying: int = 0
    """How many of them have data."""

    octets: int = 0
    """Octets of IP packets, headers included."""

    alike: bool = True
    """Whether as much was captured of each as of its original."""


@dataclass(slots=True)
class Copies:
    """The copies in a run, as where two points of a path are captured."""

    client: CopySum = field(default_factory=CopySum)
    server: CopySum = field(default_factory=CopySum)
    packets: list[Passing] = field(default_factory=list)
    """Originals and copies, in the order of the capture."""

    first: tuple[int, Observed] | None = None
    """The place of the first original that has a copy, and that copy."""

    hops: int | None = None
    """How many hops the last copy with data is from its original; None if there is none."""

    gap: int = 0
    """The longest time between a packet with data and its copy, in nanoseconds."""

    last: Observed | None = None
    """The last packet, if it is a copy."""


@dataclass(slots=True)
class RunStart:
    """Where a run may begin."""

    client: RunEnd
    server: RunEnd
    at: int
    """When the last segment was captured."""

    timed: bool
    """Whether each segment must have a timestamp."""

    doubled: bool
    """Whether packets of the connection were captured more than once."""

    hops: int | None = field(default=None, kw_only=True)
    """How many hops the points of the capture are apart, if that is known."""

    sums: bool
    """Whether it matters which segments are acknowledged, for the sake of their checksums."""

    missing: bool = False
    """Whether octets are missing, so that the order of data and acknowledgments matters.

    It matters, too, for what is the first of its kind, and before any data is acknowledged.
    """

    @property
    def ends(self) -> tuple[RunEnd, RunEnd]:
        """The client and the server."""
        return self.client, self.server


class Sum(NamedTuple):
    """The checksum of one segment, where it matters which one is acknowledged when."""

    by: Role
    kind: Checksum
    zero: bool
    """Whether it is partial, and 0."""

    seq: Seq
    end: Seq
    ack: Seq

    @property
    def right(self) -> bool:
        """Whether it is right, as far as it can be verified."""
        return self.kind in (Checksum.RIGHT, Checksum.UNKNOWN)


Key: TypeAlias = tuple[int, int, int, int]
"""Numbers, control bits (0x3F) and length of a segment: what tells it from others of its sender."""


class Brief(NamedTuple):
    """A segment of a run in brief."""

    place: int
    """Its place in the run."""

    frame: int
    at: int
    by: Role
    seq: int
    ack: int
    flags: int
    window: int
    length: int
    """Octets of payload."""

    ttl: int
    number: int | None
    """The identification of the IPv4 header."""

    checksum: Checksum
    options: bytes


class Packed(Protocol):
    """The segments of a run, which are decoded only where one is looked at."""

    def observed(self, place: int) -> Observed:
        """Return one segment."""
        ...

    def brief(self, first: int, last: int) -> Iterator[Brief]:
        """Yield the segments from the first to before the last of these places."""
        ...

    def has(self, seq: int, ack: int) -> bool:
        """Whether any segment may have these two numbers."""
        ...

    def keys(self, first: int, last: int) -> list[tuple[Role, Key, int]]:
        """Return the sender, the key and the identification (0 if it has none) of each."""
        ...


@dataclass(slots=True)
class Run:
    """Consecutive segments of one connection in which nothing happens."""

    count: int
    client: RunEnd
    server: RunEnd
    at: int
    """When the last one was captured."""

    packed: Packed
    ports: tuple[int, int]
    """The client's and the server's."""

    packets: int = 0
    """How many packets there are, copies included."""

    letters: list[Role] = field(default_factory=list)
    """For each gap that Zeek's history mentions, whose data it is."""

    copies: Copies | None = None
    """The copies of its packets, if those of the connection were captured more than once."""

    sums: list[Sum] | None = None
    """Each segment's checksum, if it matters which one is acknowledged."""

    pieces: list[Piece] | None = None
    """All data and new acknowledgments in their order, if that matters, and the first of a kind."""

    def tail(self, most: int) -> Iterator[tuple[int, Role, Key, int]]:
        """Yield place, sender, key and identification of the last segments.

        They are so many of each end, or all of it, and those between them.
        """
        wanted = [min(each.segments, most) for each in (self.client, self.server)]
        found: list[tuple[Role, Key, int]] = []
        first = self.count
        while first and max(wanted) > 0:
            begin = max(0, first - most)
            more = self.packed.keys(begin, first)
            for role, _, _ in more:
                wanted[role is Role.SERVER] -= 1
            found, first = [*more, *found], begin
        return ((place, *each) for place, each in enumerate(found, first))

    def stretches(self, role: Role) -> Iterator[Stretch]:
        """Yield the data of one end, if the order matters."""
        for each in self.pieces or ():
            if isinstance(each, Stretch) and each.by is role:
                yield each

    def of(self, role: Role) -> RunEnd:
        """Return what one end sent."""
        return self.client if role is Role.CLIENT else self.server

    @property
    def last(self) -> Role:
        """Who sent the last segment."""
        return Role.CLIENT if self.client.place > self.server.place else Role.SERVER
