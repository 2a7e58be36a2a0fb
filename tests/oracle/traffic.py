"""Conversations that no kernel would hold, to find where two analyses of them part."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Endpoint, Flags, Segment, Seq
from tests.capture.files import pcap_header

if TYPE_CHECKING:
    from pathlib import Path

M: Final = 2**32
START: Final = 1_700_000_000 * 10**9
RAW_IP: Final = 101
NANOSECONDS: Final = 0xA1B23C4D
STARTS: Final = (100, M - 256, M - 1, M // 2 - 128, 3_000_000_000)
"""Initial numbers: the circle closes, and changes sign, in the middle of a conversation."""

PAUSES: Final = (0, 0.01, 0.5, 1, 2.9, 3, 3.1, 10, 15, 20, 30, 200, 1000)
"""Milliseconds between segments, on both sides of every limit there is."""


class Sent(NamedTuple):
    """A segment and when it was sent, in nanoseconds; its payload is named and not there."""

    at: int
    segment: Segment


@dataclass
class Talk:
    """Two ends that send random segments, close to what would be right."""

    dice: random.Random
    client: Endpoint
    server: Endpoint
    at: int = START
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ends = (self.client, self.server)
        self.base = [self.dice.choice(STARTS), self.dice.choice(STARTS)]
        self.nxt = list(self.base)
        self.ack = list(self.base)
        self.window = [9000, 8000]

    def hold(self) -> list[Sent]:
        """Return the whole conversation: most of them open, some begin in the middle."""
        depth = self.dice.choice((0, 1, 2, 3, 3, 3, 3))
        opening = (
            (0, Flags.SYN),
            (1, Flags.SYN | Flags.ACK),
            (0, Flags.ACK),
        )
        for by, flags in opening[:depth]:
            self.send(by, self.nxt[by], self.nxt[1 - by], flags, 0)
            self.at += int(self.dice.choice((1, 10, 30)) * 1e6)
        for _ in range(self.dice.randrange(40)):
            self.at += int(self.dice.choice(PAUSES) * 1e6)
            self.send_something(self.dice.randrange(2))
        return self.sent

    def send_something(self, by: int) -> None:
        """Let one end send data, data again or too early, an ACK, or something odd."""
        dice, flags, length = self.dice, Flags.ACK, 0
        seq, ack = self.nxt[by], self.nxt[1 - by]
        kind = dice.random()
        if kind < 0.30:
            length = dice.choice((1, 1, 10, 100, 1000, 40_000))
        elif kind < 0.35:
            seq -= dice.choice((0, 1, 1, 1, 10, 50, 100, 110))
            length = dice.choice((0, 1, 2, 10, 100))
        elif kind < 0.45:
            seq -= dice.choice((1, 10, 100, 110, 200))
            length = dice.choice((10, 100, 200))
        elif kind < 0.50:
            seq += dice.choice((1, 10, 100))
            length = dice.choice((0, 1, 10, 100))
        elif kind < 0.54:
            flags = Flags(dice.choice((0x11, 0x11, 0x01, 0, 0x04, 0x14, 0x02, 0x12, 0x03, 0x18)))
            length = dice.choice((0, 0, 0, 5))
            seq = dice.choice((seq, seq, seq - 1, self.base[by], self.base[by] - 1))
        if dice.random() < 0.25:
            ack -= dice.choice((0, 1, 10, 100))
        if dice.random() < 0.04:
            ack += dice.choice((1, 10, 100))
        if dice.random() < 0.1:
            self.window[by] = dice.choice((0, 0, 9000, 8000, 5))
        if dice.random() < 0.3:
            ack = self.ack[by]
        self.send(by, seq, ack, flags, length)

    def send(self, by: int, seq: int, ack: int, flags: Flags, length: int) -> None:
        """Send one segment; `ack` stands in its header whether ACK is set or not."""
        self.ack[by] = ack
        self.nxt[by] = max(self.nxt[by], seq + length + bool(flags & (Flags.SYN | Flags.FIN)))
        seg = Segment(
            source=self.ends[by],
            destination=self.ends[1 - by],
            seq=Seq(seq),
            ack=Seq(ack) if flags & Flags.ACK else None,
            flags=flags,
            window=self.window[by],
            payload_length=length,
            # A first SYN has nothing to acknowledge, and its field is 0.
            ack_field=0 if flags == Flags.SYN and len(self.sent) == 0 else ack % M,
        )
        self.sent.append(Sent(self.at, seg))


def conversations(seed: int, count: int) -> list[list[Sent]]:
    """Return as many conversations, each from a port of its own."""
    dice = random.Random(seed)
    server = Endpoint(IPv4Address("198.51.100.7"), 80)
    client_socket = IPv4Address("192.0.2.10")
    return [Talk(dice, Endpoint(client_socket, 1024 + n), server).hold() for n in range(count)]


def write(path: Path, sent: list[Sent]) -> None:
    """Write a capture of headers alone: each packet cut after its TCP header."""
    with path.open("wb") as file:
        file.write(pcap_header(magic=NANOSECONDS, link_type=RAW_IP))
        for at, seg in sent:
            packet = _packet(seg)
            length = len(packet) + seg.payload_length
            file.write(struct.pack("<IIII", *divmod(at, 10**9), len(packet), length) + packet)


def _packet(seg: Segment) -> bytes:
    header = seg.pack()
    return (
        struct.pack(
            "!BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(header) + seg.payload_length,
            0,
            0,
            64,
            6,
            0,
            seg.source.address.packed,
            seg.destination.address.packed,
        )
        + header
    )
