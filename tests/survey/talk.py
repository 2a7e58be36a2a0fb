"""One long connection, frame by frame, whose hosts and whose capture may change at any moment."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.units import (
    ACK_BIT,
    FIN_BIT,
    MASK,
    MODULUS,
    NS_PER_SECOND,
    PSH_BIT,
    SYN_BIT,
    TCP,
)
from tests.capture.files import pcap_header, pcap_record

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

SNAPS = (54, 58, 66, 74, 96, 116, 117, 140, 2000)
SUMS = ("right", "zero", "partial", "unmeasured", "wrong")
NUMBERS = ("zero", "counted", "constant")
EDGES = (0, 1, 2, MASK, MASK - 1, MASK - 9000, MODULUS // 2 - 1, MODULUS // 2 - 9000)
"""Initial sequence numbers and clocks near 0 and 2**31."""

_MSS = b"\x02\x04\x05\xb4"
_ADDRESSES = (b"\x0a\0\0\1", b"\x0a\0\0\2")
_PREFIX = b"\x20\x01\x0d\xb8" + bytes(8)


def checksum(octets: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    padded = octets + bytes(len(octets) % 2)
    return 0xFFFF - (int.from_bytes(padded, "big") % 0xFFFF or 0xFFFF)


@dataclass
class Side:
    """One host. Numbers are counted from its SYN, and do not wrap."""

    isn: int
    clock: int
    scale: int | None = 7
    nxt: int = 0
    acked: int = 0
    """What it acknowledged of the other one."""

    heard: int = 0
    """The other one's clock that it echoes."""

    window: int = 64240
    ttl: int = 64
    checksums: str = "right"
    numbers: str = "counted"
    """How it numbers its packets."""

    number: int = 0xFFF0
    last: bytes = b""
    """Its last packet."""


@dataclass
class Talk:
    """The connection so far; `frames` has time, octets, and how many octets were captured."""

    dice: Random
    port: int = 443
    six: bool = False
    stamped: bool = True
    snap: int = 2000
    tag: bytes = b""
    tos: int = 0
    label: int = 0
    fill: bytes = b""
    """What payloads repeat; if empty, each payload has an octet of its own."""

    copied: tuple[int, int] | None = None
    """How much later each packet passes a second capture point, and how many hops further."""

    only: int | None = None
    """The side whose packets alone are captured."""

    at: int = 1_700_000_000 * NS_PER_SECOND
    frames: list[tuple[int, bytes, int]] = field(default_factory=list)
    sides: tuple[Side, Side] = field(init=False)

    def __post_init__(self) -> None:
        dice = self.dice
        self.sides = (self._side(), self._side())
        if dice.random() < 0.1:
            dice.choice(self.sides).scale = None

    def _side(self) -> Side:
        dice = self.dice
        isn, clock = (
            dice.choice(EDGES) if dice.random() < 0.5 else dice.getrandbits(32) for _ in (0, 1)
        )
        return Side(isn, clock, numbers=dice.choice(NUMBERS))

    def save(self, path: Path) -> Path:
        """Write the capture."""
        records = [
            pcap_record(octets[:kept], "<", *divmod(at, NS_PER_SECOND), len(octets))
            for at, octets, kept in self.frames
        ]
        path.write_bytes(pcap_header(magic=0xA1B23C4D) + b"".join(records))
        return path

    def put(self, octets: bytes, later: int = 0) -> None:
        """Capture a frame."""
        self.frames.append((self.at + later, octets, self.snap))

    def send(
        self,
        me: int,
        length: int = 0,
        flags: int = ACK_BIT,
        *,
        ahead: int = 0,
        ack: int | None = None,
        options: bytes | None = None,
        **header: int,
    ) -> None:
        """Send a segment, `ahead` of what comes next, that acknowledges what the side does.

        A side counts what it sends by `go_on`. `header` has other values for some fields.
        """
        dice, mine = self.dice, self.sides[me]
        self.at += dice.choice((1_000, 20_000, 300_000, 2_000_000))
        if ack is None:
            ack = self.sides[1 - me].isn + mine.acked if flags & ACK_BIT else 0
        if options is None:
            echo = mine.heard if flags & ACK_BIT else 0
            options = struct.pack("!BBBBII", 1, 1, 8, 10, mine.clock, echo) if self.stamped else b""
        seq = mine.isn + mine.nxt + ahead
        payload = ((self.fill or dice.randbytes(1)) * length)[:length]
        mine.last = self._packet(me, seq, ack, flags, options, payload, header)
        if self.only in (None, me):
            self.put(self._link() + mine.last)
            if self.copied is not None:
                later, hops = self.copied
                self.put(self._link() + _further(mine.last, hops), later)

    def go_on(self, me: int, length: int) -> None:
        """Send data."""
        self.send(me, length, ACK_BIT | PSH_BIT * (self.dice.random() < 0.3))
        self.sides[me].nxt += length

    def hear(self, me: int, less: int = 0) -> None:
        """Acknowledge all that the other side has sent, or `less`, from the next segment on."""
        mine, other = self.sides[me], self.sides[1 - me]
        mine.acked = max(mine.acked, other.nxt - less)
        mine.heard = other.clock
        other.clock = (other.clock + self.dice.choice((0, 1, 1000))) & MASK

    def open(self, *, syns: int = 1, cookie: bytes | None = None, flags: int = 0) -> None:
        """Connect, with so many SYNs; with a Fast Open cookie the SYN carries data."""
        client, server = self.sides
        for each in range(syns):
            self.at += each * NS_PER_SECOND
            fast = b"" if cookie is None else bytes((34, 2 + len(cookie))) + cookie
            offer = self._offer(client) + fast
            self.send(0, 0 if cookie is None else 100, SYN_BIT | flags, options=offer)
        client.nxt = 1 if cookie is None else 101
        self.hear(1)
        self.send(1, 0, SYN_BIT | ACK_BIT, options=self._offer(server))
        server.nxt = 1
        self.hear(0)
        self.send(0)

    def _offer(self, mine: Side) -> bytes:
        stamps = struct.pack("!BBII", 8, 10, mine.clock, mine.heard) if self.stamped else b""
        scale = b"" if mine.scale is None else bytes((3, 3, mine.scale))
        offer = _MSS + b"\4\2" + stamps + scale
        return offer + b"\1" * (-len(offer) % 4)

    def flow(self, count: int) -> None:
        """Exchange data, nearly all of it acknowledged at once."""
        dice = self.dice
        for _ in range(count):
            me = dice.randrange(2)
            for _ in range(dice.choice((1, 2, 5))):
                self.go_on(me, dice.choice((1, 100, 1448, 1448)))
            if dice.random() < 0.9:
                self.hear(1 - me, dice.choice((0, 0, 0, 50)))
                if dice.random() < 0.6:
                    self.send(1 - me)

    def close(self) -> None:
        """Close by two FINs."""
        for me in (0, 1):
            self.hear(me)
            self.send(me, 0, FIN_BIT | ACK_BIT)
            self.sides[me].nxt += 1
        self.hear(0)
        self.send(0)

    def _link(self) -> bytes:
        return bytes(12) + self.tag + (b"\x86\xdd" if self.six else b"\x08\0")

    def _packet(
        self,
        me: int,
        seq: int,
        ack: int,
        flags: int,
        options: bytes,
        payload: bytes,
        header: dict[str, int],
    ) -> bytes:
        mine = self.sides[me]
        ports = (40_000, self.port)[:: -1 if me else 1]
        offset = header.get("offset", 5 + len(options) // 4)
        window, urgent = header.get("window", mine.window), header.get("urgent", 0)
        bits = offset << 12 | flags
        tcp = struct.pack("!HHIIHHHH", *ports, seq & MASK, ack & MASK, bits, window, 0, urgent)
        tcp += options + payload
        source, target = ((_PREFIX if self.six else b"") + each for each in _ADDRESSES)
        pair = target + source if me else source + target
        sum_ = _sum(mine.checksums, pair, tcp).to_bytes(2, "big")
        tcp, ttl = tcp[:16] + sum_ + tcp[18:], header.get("ttl", mine.ttl)
        if self.six:
            first = 6 << 28 | self.tos << 20 | self.label
            return struct.pack("!IHBB", first, len(tcp), TCP, ttl) + pair + tcp
        mine.number = (mine.number + (mine.numbers == "counted")) & 0xFFFF
        number = 0 if mine.numbers == "zero" else mine.number
        fields = (0x45, self.tos, 20 + len(tcp), number, 0x4000, ttl, TCP, 0)
        return _summed(struct.pack("!BBHHHBBH", *fields) + pair) + tcp


def _sum(kind: str, pair: bytes, tcp: bytes) -> int:
    """Return a checksum of this kind; partial ones may lack the length, too."""
    right = checksum(pair + struct.pack("!II", len(tcp), TCP) + tcp)
    length = len(tcp) if kind == "partial" else 0
    pseudo = 0xFFFF - checksum(pair + struct.pack("!II", length, TCP))
    wrong = (right + 0x1111) % 0xFFFF
    kinds = {"right": right, "zero": 0, "partial": pseudo, "unmeasured": pseudo, "wrong": wrong}
    return kinds[kind]


def _summed(header: bytes) -> bytes:
    bare = header[:10] + b"\0\0" + header[12:]
    return bare[:10] + checksum(bare).to_bytes(2, "big") + bare[12:]


def _further(packet: bytes, hops: int) -> bytes:
    """Return a packet after so many routers."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes((packet[7] - hops,)) + packet[8:]
    return _summed(packet[:8] + bytes((packet[8] - hops,)) + packet[9:20]) + packet[20:]


def unreachable(packet: bytes, code: int) -> bytes:
    """Return the ICMP error "destination unreachable" that quotes an IPv4 packet."""
    body = struct.pack("!BBHHH", 3, code, 0, 0, 1400) + packet[:28]
    body = body[:2] + checksum(body).to_bytes(2, "big") + body[4:]
    fields = (0x45, 0, 20 + len(body), 9, 0, 60, 1, 0)
    return _summed(struct.pack("!BBHHHBBH", *fields) + b"\x0a\0\0\x09" + packet[12:16]) + body
