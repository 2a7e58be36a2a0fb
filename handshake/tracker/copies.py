"""Tells the copies of a packet from segments that were sent again, before anything is counted.

A packet is captured several times where a mirror port, several VLANs or capture points pass it, or
where a file was replayed. Each sender gives each packet another identification (RFC 791), except
in headers that have none: IPv6, and 0 or a constant in IPv4. There equal octets alone prove
nothing, as a retransmission may look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from handshake.events import Copy, Role
from handshake.tcp.seq import distance
from handshake.units import NS_PER_SECOND, SOONEST_TIMER

if TYPE_CHECKING:
    from handshake.events.run import Key, Packed, Run, RunStart
    from handshake.tcp import Observed
    from handshake.tracker.wireshark import Direction

_AT_ONCE: Final = NS_PER_SECOND // 1000
"""Nanoseconds within which equal octets are one packet where its identification does not tell:
tail loss probes wait 2 ms (RFC 8985 section 7.2), timers far longer."""

_REMEMBERED: Final = 64
"""Packets remembered of a connection: as many may pass between a packet and its copy."""

_ALIKE: Final = 4
"""Packets remembered that have the same numbers."""

_FIRST: Final = 16
"""Packets at the begin of a connection by which a replay is recognised."""

_Sent: TypeAlias = "tuple[Observed, int]"
"""A packet, and how many packets the other end had sent by then."""


class _Packet(NamedTuple):
    """A packet of a run, decoded only if it is looked at."""

    packed: Packed
    place: int


@dataclass(slots=True)
class _Sender:
    """What one end sent that is no copy."""

    count: int = 0
    """How many packets."""

    number: int = 0
    key: Key | None = None
    """Identification and numbers of the last one."""

    constant: bool = False
    """Whether it gave two packets the same identification."""

    recent: dict[Key, tuple[tuple[Observed | _Packet, int], ...]] = field(default_factory=dict)
    """The latest packets by their numbers."""


@dataclass(slots=True)
class CopyFinder:
    """Remembers the latest packets of one connection, in little memory."""

    _ends: tuple[_Sender, _Sender] = field(default_factory=lambda: (_Sender(), _Sender()))
    _first: dict[int, Observed | _Packet] = field(default_factory=dict)
    """The first packets by all their fields."""

    _hops: int | None = None
    """How many hops the points of the capture are apart; None while no copy is known."""

    _gap: int = 0
    """The longest time between a packet and its copy, in nanoseconds."""

    _last_at: int = 0
    """When the last packet was captured that is no copy."""

    _replayed: int | None = None
    """How many packets were played again since the SYN; None if none are."""

    def settled(self, start: RunStart) -> bool:
        """Whether no packets are played again; `start` gets each end's last identification."""
        for role, each in ((Role.CLIENT, start.client), (Role.SERVER, start.server)):
            mine = self._ends[role is Role.CLIENT]
            each.number, each.constant = mine.number, mine.constant
        start.hops = self._hops
        return self._replayed is None

    def skip(self, run: Run) -> None:
        """Remember the packets of a run."""
        if len(self._first) < _FIRST:
            self._remember_first(run)
        self._last_at = run.at
        if run.copies is not None and run.copies.hops is not None:
            self._hops, self._gap = run.copies.hops, max(self._gap, run.copies.gap)
        tail = list(run.tail(_REMEMBERED))
        # How many packets each end had sent before the first one of these.
        sent = {}
        for role in Role:
            mine, passed = self._ends[role is Role.CLIENT], run.of(role)
            mine.count += passed.segments
            mine.constant |= passed.repeats
            sent[role] = mine.count - sum(by is role for _, by, _, _ in tail)
        packed = run.packed
        for place, by, key, number in tail:
            mine, other = self._ends[by is Role.CLIENT], by.other
            sent[by] += 1
            mine.number, mine.key = number, key
            mine.recent[key] = ((_Packet(packed, place), sent[other]),)
            if len(mine.recent) > _REMEMBERED:
                del mine.recent[next(iter(mine.recent))]

    def _remember_first(self, run: Run) -> None:
        most = min(run.count, _FIRST - len(self._first))
        keys = run.packed.keys(0, most)
        for each, (by, key, number) in zip(run.packed.brief(0, most), keys, strict=True):
            ports = run.ports if by is Role.CLIENT else run.ports[::-1]
            found = hash((key, ports, number, each.options))
            self._first.setdefault(found, _Packet(run.packed, each.place))

    def find(
        self, by: Role, observed: Observed, sender: Direction, receiver: Direction, *, opened: bool
    ) -> Copy | None:
        """Return what this packet is a copy of; None if it is none.

        `opened` tells whether the handshake was completed before it.
        """
        mine, seg, key = self._ends[by is Role.CLIENT], observed.segment, _key(observed)
        if seg.syn and observed.at < self._last_at:
            # The file begins again.
            again = self._replay(key, observed, sender, receiver, opened=opened)
            if again is not None:
                return again
        if key in mine.recent:
            other = self._ends[by is not Role.CLIENT]
            for packet, answered in reversed(mine.recent[key]):
                each = _unpacked(packet)
                if self._is_copy((each, answered), observed, other.count, constant=mine.constant):
                    return Copy(each, replayed=False)
        if self._replayed is None and not seg.syn:
            return None
        return self._replay(key, observed, sender, receiver, opened=opened)

    def remember(self, by: Role, observed: Observed, copy: Copy | None) -> None:
        """Remember a packet that is no copy, or what its copy tells of the capture."""
        if copy is not None:
            if copy.replayed:
                syn = observed.segment.syn and observed.segment.ack is None
                self._replayed = 1 if syn or self._replayed is None else self._replayed + 1
            elif observed.segment.length:
                self._hops = hops(copy.original, observed)
                self._gap = max(self._gap, abs(observed.at - copy.original.at))
            return
        self._replayed, self._last_at = None, observed.at
        mine, key, number = self._ends[by is Role.CLIENT], _key(observed), identification(observed)
        if number and mine.number == number and mine.key != key:
            mine.constant = True
        mine.number, mine.key = number, key
        mine.count += 1
        sent = observed, self._ends[by is not Role.CLIENT].count
        recent = mine.recent
        recent[key] = (*recent[key][1 - _ALIKE :], sent) if key in recent else (sent,)
        if len(recent) > _REMEMBERED:
            del recent[next(iter(recent))]
        if len(self._first) < _FIRST:
            self._first.setdefault(_print(key, observed), observed)

    def _is_copy(self, sent: _Sent, observed: Observed, answers: int, *, constant: bool) -> bool:
        """Whether a packet is one that was sent before; the other end has sent `answers` by now."""
        before, answered = sent
        gap = observed.at - before.at
        if not -SOONEST_TIMER < gap < SOONEST_TIMER:
            return False
        numbers = identification(before), identification(observed)
        sure = any(numbers) and not constant
        if (sure and numbers[0] != numbers[1]) or _ip_options(before) != _ip_options(observed):
            return False
        if sure:
            return True
        elsewhere = hops(before, observed) != 0 or before.via != observed.via
        seg = observed.segment
        if seg.syn and not seg.rst:
            # No host sends a SYN twice so soon, but a SYN-ACK may answer what came in between.
            same = before.segment.options.timestamps == seg.options.timestamps
            return elsewhere or (same and (seg.ack is None or answers == answered))
        if not _equal(before, observed):
            return False
        if seg.length:
            # A fast retransmission follows an ACK of the other end.
            return elsewhere or (abs(gap) < _AT_ONCE and answers == answered)
        # Equal ACKs may well follow each other, but not at two points of a path.
        if self._hops is None:
            return False
        if elsewhere:
            return hops(before, observed) == self._hops or before.via != observed.via
        return self._hops == 0 and abs(gap) <= min(2 * self._gap, _AT_ONCE)

    def _replay(
        self,
        key: Key,
        observed: Observed,
        sender: Direction,
        receiver: Direction,
        *,
        opened: bool,
    ) -> Copy | None:
        """Return the original of a packet that was played again from the SYN on."""
        seg = observed.segment
        opens = seg.syn and seg.ack is None
        if not opened or (self._replayed is None and not opens):
            return None
        found = self._first.get(_print(key, observed))
        original = None if found is None else _unpacked(found)
        if opens:
            # A SYN that was sent again has another identification, or another clock.
            sure = identification(observed) or seg.options.timestamps is not None
            known = original is not None and _equal(original, observed)
            return Copy(original, replayed=True) if original and known and sure else None
        if self._replayed is None or (original is None and self._replayed < len(self._first)):
            return None
        if original is None:
            old = distance(sender.nxt, int(seg.end)) <= 0
            old = old and (seg.ack is None or distance(receiver.nxt, int(seg.ack)) <= 0)
            original = _unpacked(next(iter(self._first.values()))) if old else None
        return None if original is None else Copy(original, replayed=True)


def _unpacked(packet: Observed | _Packet) -> Observed:
    return packet.packed.observed(packet.place) if isinstance(packet, _Packet) else packet


def hops(before: Observed, after: Observed) -> int:
    """Return how many hops lie between two points of the capture, by the TTL; 0 if not known."""
    return 0 if before.ttl is None or after.ttl is None else before.ttl - after.ttl


def identification(observed: Observed) -> int:
    """Return the identification of the IPv4 header; 0 if it has none."""
    octets = observed.packet
    return int.from_bytes(octets[4:6], "big") if octets[:1] and octets[0] >> 4 == 4 else 0


def _ip_options(observed: Observed) -> bytes:
    octets = observed.packet
    if not octets or octets[0] >> 4 != 4 or octets[0] & 0xF <= 5:
        return b""
    return octets[20 : (octets[0] & 0xF) * 4]


def _key(observed: Observed) -> Key:
    seg = observed.segment
    return int(seg.seq), seg.ack_field, int(seg.flags) & 0x3F, seg.payload_length


def _print(key: Key, observed: Observed) -> int:
    """Return a number that few other packets of the connection have."""
    ports = observed.segment.source.port, observed.segment.destination.port
    return hash((key, ports, identification(observed), observed.segment.options.raw))


def _equal(before: Observed, after: Observed) -> bool:
    """Whether two packets with the same numbers have the same header and payload."""
    one, two = before.segment, after.segment
    right = before.checksum_ok, after.checksum_ok
    # Of a packed frame only the first octets of the payload are kept: the checksums tell of the
    # others. A right one and another right one, or one right and the same one wrong: they differ.
    same = one.checksum == two.checksum
    if None not in right and ((right[0] is not right[1]) if same else all(right)):
        return False
    captured = min(len(one.payload), len(two.payload))
    return (
        one.window == two.window
        and one.urgent == two.urgent
        and one.options.raw == two.options.raw
        and one.payload[:captured] == two.payload[:captured]
    )
