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
from handshake.events.run import ALIKE
from handshake.tcp.seq import distance
from handshake.units import ACK_BIT, NS_PER_SECOND, PSH_BIT, SOONEST_TIMER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.events.run import Key, Packed, Run, RunStart
    from handshake.tcp import Observed
    from handshake.tracker.wireshark import Direction

_AT_ONCE: Final = NS_PER_SECOND // 1000
"""Nanoseconds within which equal octets are one packet where its identification does not tell:
tail loss probes wait 2 ms (RFC 8985 section 7.2), timers far longer."""

_REMEMBERED: Final = 64
"""Packets remembered of a connection: as many may pass between a packet and its copy."""

_FIRST: Final = 16
"""Packets at the begin of a connection by which a replay is recognised."""

_SIGN: Final = 0x8000_0000
"""`(a - b) & _SIGN` is set where `a` comes before `b` on the circle (section 3.4)."""

_SERVER_FIRST: Final = (Role.SERVER, Role.CLIENT)


class _Packet(NamedTuple):
    """A packet of a run, decoded only if it is looked at."""

    packed: Packed
    place: int


class _Begun(NamedTuple):
    """The first packets of a run."""

    run: Run
    most: int


_Recent: TypeAlias = "dict[Key, tuple[tuple[Observed | _Packet, int], ...]]"
"""Packets by their numbers, each with how many packets the other end had sent by then."""


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

    recent: _Recent = field(default_factory=dict)
    """The latest packets by their numbers, those of `CopyFinder.passed` left out."""

    alike: tuple[int, ...] = ()
    """The identifications of the last ACKs in a row that ended the last run with the same numbers,
    and had no data."""

    def remember(self, key: Key, sent: tuple[Observed | _Packet, int]) -> None:
        """Remember a packet that it sent; forget the one that it sent longest ago."""
        recent = self.recent
        known = recent.get(key)
        recent[key] = (sent,) if known is None else (*known[1 - ALIKE :], sent)
        if len(recent) > _REMEMBERED:
            del recent[next(iter(recent))]


class _Passed(NamedTuple):
    """A run, of which no packet was looked for yet."""

    run: Run
    counts: tuple[int, int]
    """How many packets each end, the server first, had sent after it."""

    before: tuple[_Recent, _Recent]
    """What each end had sent before it, and after the run before."""

    def may_have(self, by: Role, key: Key, at: int) -> bool:
        """Whether a packet that came `at` may be a copy of one of the run, or of one before it."""
        if key in self.before[by is Role.CLIENT]:
            return True
        run, sent, (seq, ack, flags, _) = self.run, self.run.of(by), key
        if not sent.segments or flags & ~PSH_BIT != ACK_BIT or at - run.at >= SOONEST_TIMER:
            return False
        return not (
            (sent.seq - seq) & _SIGN
            or (sent.ack - ack) & _SIGN
            or (seq - sent.first_seq) & _SIGN
            or (ack - sent.first_ack) & _SIGN
        ) and run.packed.has(seq, ack)


@dataclass(slots=True)
class CopyFinder:
    """Remembers the latest packets of one connection, in little memory."""

    _ends: tuple[_Sender, _Sender] = field(default_factory=lambda: (_Sender(), _Sender()))
    """The server and the client."""

    _passed: list[_Passed] = field(default_factory=list)
    """The latest runs."""

    _first: list[Observed | _Begun] = field(default_factory=list)
    """The first packets."""

    _begun: int = 0
    """How many these are."""

    _prints: dict[int, Observed | _Packet] | None = field(default=None, compare=False)
    """The first packets by all their fields, once one is looked for: they follow from `_first`."""

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
            each.alike = mine.alike
            # What is looked for is found among all packets, those of runs, too.
            found = mine.recent.get((each.nxt, each.ack, ACK_BIT, 0))
            if found is not None:
                each.alike = tuple(_number(packet) for packet, _ in found)
        start.hops = self._hops
        return self._replayed is None

    def skip(self, run: Run) -> None:
        """Remember the packets of a run."""
        if self._begun < _FIRST:
            self._first.append(_Begun(run, min(run.count, _FIRST - self._begun)))
            self._begun += run.count
        self._last_at = run.at
        if run.copies is not None and run.copies.hops is not None:
            self._hops, self._gap = run.copies.hops, max(self._gap, run.copies.gap)
        for role, mine in zip(_SERVER_FIRST, self._ends, strict=True):
            sent = run.of(role)
            mine.alike = sent.alike
            if sent.segments:
                mine.count += sent.segments
                mine.constant |= sent.repeats
                ((_, mine.key, mine.number),) = run.packed.keys(sent.place, sent.place + 1)
        server, client = self._ends
        before = server.recent, client.recent
        server.recent, client.recent = {}, {}
        passed = self._passed
        passed.append(_Passed(run, (server.count, client.count), before))
        if len(passed) > 1:
            # Of those before so many packets nothing is remembered.
            left = [_REMEMBERED] * 2
            for index in range(len(passed) - 1, 0, -1):
                for end, role in enumerate(_SERVER_FIRST):
                    left[end] -= passed[index].run.of(role).segments
                if max(left) <= 0:
                    del passed[:index]
                    passed[0] = passed[0]._replace(before=({}, {}))
                    break

    def _look_through(self) -> None:
        """Remember the packets of the runs by their numbers, with those before and after them."""
        passed, self._passed = self._passed, []
        after = [mine.recent for mine in self._ends]
        for mine in self._ends:
            mine.recent = {}
        for run, counts, before in passed:
            self._join(before)
            tail = list(run.tail(_REMEMBERED))
            sent = list(counts)
            for _, by, _, _ in tail:
                sent[by is Role.CLIENT] -= 1
            for place, by, key, _ in tail:
                index = by is Role.CLIENT
                sent[index] += 1
                self._ends[index].remember(key, (_Packet(run.packed, place), sent[not index]))
        self._join(after)

    def _join(self, known: Sequence[_Recent]) -> None:
        """Remember packets that each end sent after all that is remembered."""
        for mine, recent in zip(self._ends, known, strict=True):
            if not mine.recent:
                mine.recent = recent
                continue
            for key, packets in recent.items():
                for each in packets:
                    mine.remember(key, each)

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
        if self._passed and any(each.may_have(by, key, observed.at) for each in self._passed):
            self._look_through()
        alike = mine.recent.get(key)
        if alike is not None:
            answers, constant = self._ends[by is not Role.CLIENT].count, mine.constant
            for packet, answered in reversed(alike):
                each = _unpacked(packet)
                if self._is_copy(each, observed, answered, answers, constant=constant):
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
        server, client = self._ends
        mine, other = (client, server) if by is Role.CLIENT else (server, client)
        key, number = _key(observed), observed.identification
        if number and mine.number == number and mine.key != key:
            mine.constant = True
        mine.number, mine.key = number, key
        mine.count += 1
        mine.remember(key, (observed, other.count))
        if self._begun < _FIRST:
            self._begun += 1
            self._first.append(observed)

    def _is_copy(
        self, before: Observed, observed: Observed, answered: int, answers: int, *, constant: bool
    ) -> bool:
        """Whether a packet is one that was sent before.

        The other end had sent `answered` packets before that one, and has sent `answers` by now.
        """
        gap = observed.at - before.at
        if not -SOONEST_TIMER < gap < SOONEST_TIMER:
            return False
        number = observed.identification
        sure = not constant and bool(number or before.identification)
        if sure and number != before.identification:
            return False
        if _ip_options(before) != _ip_options(observed):
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
        first = self._printed()
        found = first.get(_print(key, observed))
        original = None if found is None else _unpacked(found)
        if opens:
            # A SYN that was sent again has another identification, or another clock.
            sure = observed.identification or seg.options.timestamps is not None
            known = original is not None and _equal(original, observed)
            return Copy(original, replayed=True) if original and known and sure else None
        if self._replayed is None or (original is None and self._replayed < len(first)):
            return None
        if original is None:
            old = distance(sender.nxt, int(seg.end)) <= 0
            old = old and (seg.ack is None or distance(receiver.nxt, int(seg.ack)) <= 0)
            original = _unpacked(next(iter(first.values()))) if old else None
        return None if original is None else Copy(original, replayed=True)

    def _printed(self) -> dict[int, Observed | _Packet]:
        """Return the first packets by all their fields."""
        if self._prints is not None and self._begun >= _FIRST:
            return self._prints
        found: dict[int, Observed | _Packet] = {}
        self._prints = found
        for each in self._first:
            if not isinstance(each, _Begun):
                found.setdefault(_print(_key(each), each), each)
                continue
            packed, ports = each.run.packed, each.run.ports
            keys = packed.keys(0, each.most)
            for one, (by, key, number) in zip(packed.brief(0, each.most), keys, strict=True):
                ends = ports if by is Role.CLIENT else ports[::-1]
                mark = hash((key, ends, number, one.options))
                found.setdefault(mark, _Packet(packed, one.place))
        return found


def _unpacked(packet: Observed | _Packet) -> Observed:
    return packet.packed.observed(packet.place) if isinstance(packet, _Packet) else packet


def _number(packet: Observed | _Packet) -> int:
    if not isinstance(packet, _Packet):
        return packet.identification
    ((_, _, number),) = packet.packed.keys(packet.place, packet.place + 1)
    return number


def hops(before: Observed, after: Observed) -> int:
    """Return how many hops lie between two points of the capture, by the TTL; 0 if not known."""
    return 0 if before.ttl is None or after.ttl is None else before.ttl - after.ttl


def _ip_options(observed: Observed) -> bytes:
    octets = observed.packet
    if not octets or octets[0] >> 4 != 4 or octets[0] & 0xF <= 5:
        return b""
    return octets[20 : (octets[0] & 0xF) * 4]


def _key(observed: Observed) -> Key:
    seg = observed.segment
    return seg.seq.value, seg.ack_field, int(seg.flags) & 0x3F, seg.payload_length


def _print(key: Key, observed: Observed) -> int:
    """Return a number that few other packets of the connection have."""
    ports = observed.segment.source.port, observed.segment.destination.port
    return hash((key, ports, observed.identification, observed.segment.options.raw))


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
