"""Writes a capture of many connections, and the truth about each as a line of JSON.

    python benchmarks/generate.py OUT.pcap [--connections 20000] [--packets 1000000] [--snap 96]
                                           [--seconds 60]

The connections overlap, and start at random times within `--seconds`. Each has one of the histories
below, chosen by a seeded generator: the same arguments give the same octets. The truth is known
from how the packets are generated, not from reading them.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import struct
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SYN, ACK, FIN, RST, PSH = 0x02, 0x10, 0x01, 0x04, 0x08
MICROSECOND = 1_000
START = 1_700_000_000 * 1_000_000_000
MSS = 1448
HISTORIES = {
    "clean": 0.88,
    "refused": 0.03,
    "no-answer": 0.03,
    "reset": 0.02,
    "half-open": 0.01,
    "lost-syn-ack": 0.01,
    "retransmission": 0.02,
}


@dataclass
class Truth:
    """The truth about one connection."""

    client: str
    client_port: int
    server: str
    server_port: int
    outcome: str = ""
    closed: str | None = None
    rtt: float | None = None
    completeness: int = 0
    conn_state: str = ""
    segments: list[int] = field(default_factory=lambda: [0, 0])
    bytes: list[int] = field(default_factory=lambda: [0, 0])
    retransmissions: list[int] = field(default_factory=lambda: [0, 0])


class Connection:
    """One connection: iterating yields each packet with its time."""

    def __init__(self, number: int, packets: int, seconds: int, rng: random.Random) -> None:
        self.rng = rng
        self.packets = packets
        self.addresses = (0x0A000000 + number % 5000, 0x0A800000 + number % 97)
        self.ports = (1024 + number % 60000, rng.choice((80, 443, 8080)))
        self.history = rng.choices(list(HISTORIES), list(HISTORIES.values()))[0]
        self.at = START + rng.randrange(seconds * 1_000_000) * MICROSECOND
        self.way = rng.randrange(200, 40_000) * MICROSECOND
        self.isn = [rng.getrandbits(32), rng.getrandbits(32)]
        self.sent = [0, 0]
        self.clock = [rng.getrandbits(31), rng.getrandbits(31)]
        self.sent_clock = [0, 0]
        self.truth = Truth(
            client=dotted(self.addresses[0]),
            client_port=self.ports[0],
            server=dotted(self.addresses[1]),
            server_port=self.ports[1],
        )

    def segment(
        self, side: int, flags: int, length: int = 0, *, offset: int | None = None
    ) -> bytes:
        """Return one packet and count it."""
        self.truth.segments[side] += 1
        seq = self.isn[side] + (self.sent[side] if offset is None else offset)
        ack = self.isn[1 - side] + self.sent[1 - side] if flags & ACK else 0
        ticks = (self.at - START) // 1_000_000
        self.sent_clock[side] = (self.clock[side] + ticks) & 0xFFFFFFFF
        stamps = (self.sent_clock[side], self.sent_clock[1 - side] if flags & ACK else 0)
        return packet(
            self.addresses[side],
            self.addresses[1 - side],
            self.ports[side],
            self.ports[1 - side],
            seq & 0xFFFFFFFF,
            ack & 0xFFFFFFFF,
            flags,
            stamps,
            length,
        )

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return getattr(self, "_" + self.history.replace("-", "_"))()  # type: ignore[no-any-return]

    def _open(self) -> Iterator[tuple[int, bytes]]:
        began = self.at
        yield self.at, self.segment(0, SYN)
        self.sent[0] = 1
        self.at += self.way
        yield self.at, self.segment(1, SYN | ACK)
        self.sent[1] = 1
        self.at += self.rng.randrange(5, 90) * MICROSECOND
        yield self.at, self.segment(0, ACK)
        self.truth.rtt = (self.at - began) / 1e9
        self.truth.outcome = "established"

    def _data(self, room: int) -> Iterator[tuple[int, bytes]]:
        """Yield requests and responses in order, each acknowledged."""
        while room >= 4:
            yield from self._send(0, self.rng.randrange(40, 600), retransmit=False)
            count = min(room - 3, self.rng.randrange(2, 12))
            for number in range(count):
                yield from self._send(1, MSS, retransmit=False)
                if number % 2 and number + 1 < count:
                    self.at += 10 * MICROSECOND
                    yield self.at, self.segment(0, ACK)
                    room -= 1
            self.at += 10 * MICROSECOND
            yield self.at, self.segment(0, ACK)
            room -= count + 2

    def _send(self, side: int, length: int, *, retransmit: bool) -> Iterator[tuple[int, bytes]]:
        self.at += self.rng.randrange(20, 400) * MICROSECOND
        yield self.at, self.segment(side, ACK | PSH, length)
        if retransmit:
            self.at += 300_000 * MICROSECOND
            yield self.at, self.segment(side, ACK | PSH, length)
            self.truth.retransmissions[side] += 1
        self.sent[side] += length
        self.truth.bytes[side] += length

    def _close(self) -> Iterator[tuple[int, bytes]]:
        self.at += 100 * MICROSECOND
        yield self.at, self.segment(0, FIN | ACK)
        self.sent[0] += 1
        self.at += self.way
        yield self.at, self.segment(1, FIN | ACK)
        self.sent[1] += 1
        self.at += 20 * MICROSECOND
        yield self.at, self.segment(0, ACK)
        self.truth.closed = "fin"
        self.truth.conn_state = "SF"

    def _clean(self) -> Iterator[tuple[int, bytes]]:
        yield from self._open()
        yield from self._data(self.packets - 6)
        yield from self._close()
        self.truth.completeness = 31 if sum(self.truth.bytes) else 23

    def _retransmission(self) -> Iterator[tuple[int, bytes]]:
        yield from self._open()
        yield from self._data(self.packets // 2)
        yield from self._send(0, 500, retransmit=True)
        self.at += self.way
        yield self.at, self.segment(1, ACK)
        yield from self._data(self.packets // 2)
        yield from self._close()
        self.truth.completeness = 31

    def _reset(self) -> Iterator[tuple[int, bytes]]:
        yield from self._open()
        yield from self._data(self.packets - 5)
        self.at += 50 * MICROSECOND
        yield self.at, self.segment(1, RST | ACK)
        self.truth.closed = "rst-by-server"
        self.truth.conn_state = "RSTR"
        self.truth.completeness = 47 if sum(self.truth.bytes) else 39

    def _lost_syn_ack(self) -> Iterator[tuple[int, bytes]]:
        yield self.at, self.segment(0, SYN)
        self.sent[0] = 1
        self.at += self.way
        yield self.at, self.segment(1, SYN | ACK)
        self.at += 1_000_000 * MICROSECOND
        retransmit = self.at
        yield self.at, self.segment(0, SYN, offset=0)
        self.at += 30 * MICROSECOND
        yield self.at, self.segment(1, SYN | ACK)
        self.sent[1] = 1
        self.at += self.way
        yield self.at, self.segment(0, ACK)
        self.truth.rtt = (self.at - retransmit) / 1e9
        self.truth.outcome = "established"
        self.truth.retransmissions = [1, 1]
        yield from self._data(self.packets - 8)
        yield from self._close()
        self.truth.completeness = 31 if sum(self.truth.bytes) else 23

    def _refused(self) -> Iterator[tuple[int, bytes]]:
        yield self.at, self.segment(0, SYN)
        self.sent[0] = 1
        self.at += self.way
        self.isn[1] = 0
        yield self.at, self.segment(1, RST | ACK)
        self.truth.outcome = "refused"
        self.truth.rtt = self.way / 1e9
        self.truth.conn_state = "REJ"
        self.truth.completeness = 37

    def _no_answer(self) -> Iterator[tuple[int, bytes]]:
        for wait in (1, 2, 0):
            yield self.at, self.segment(0, SYN, offset=0)
            self.at += wait * 1_000_000 * MICROSECOND
        self.truth.outcome = "no-answer"
        self.truth.conn_state = "S0"
        self.truth.retransmissions = [2, 0]
        self.truth.completeness = 1

    def _half_open(self) -> Iterator[tuple[int, bytes]]:
        yield self.at, self.segment(0, SYN)
        self.sent[0] = 1
        self.at += self.way
        for wait in (1, 2, 0):
            yield self.at, self.segment(1, SYN | ACK)
            self.at += wait * 1_000_000 * MICROSECOND
        self.truth.outcome = "half-open"
        self.truth.retransmissions = [0, 2]
        self.truth.conn_state = "S1"
        self.truth.completeness = 3


def dotted(address: int) -> str:
    """Return an IPv4 address as text."""
    return ".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0))


ETHERNET = bytes.fromhex("020000000001 020000000002 0800")
IP = struct.Struct("!BBHHHBBHII")
TCP = struct.Struct("!HHIIHHHH")
STAMPS = struct.Struct("!BBBBII")
OFFER = bytes.fromhex("020405b4 0402")
PAYLOAD = bytes(2000)


def packet(
    source: int,
    destination: int,
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    stamps: tuple[int, int],
    length: int,
) -> bytes:
    """Return an Ethernet frame with one segment; its payload is zeros."""
    if flags & SYN:
        options = OFFER + struct.pack("!BBII", 8, 10, *stamps) + bytes((1, 3, 3, 7))
    elif flags & RST:
        options = b""
    else:
        options = STAMPS.pack(1, 1, 8, 10, *stamps)
    window = 0 if flags & RST else 64240
    offset = 5 + len(options) // 4
    total = 20 + 4 * offset + length
    ip = IP.pack(0x45, 0, total, 0, 0x4000, 64, 6, 0, source, destination)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    tcp = TCP.pack(sport, dport, seq, ack, offset << 12 | flags, window, 0, 0)
    pseudo = struct.pack("!IIHH", source, destination, 6, total - 20)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp + options)) + tcp[18:]
    return ETHERNET + ip + tcp + options + PAYLOAD[:length]


def checksum(octets: bytes) -> int:
    """Return the internet checksum (RFC 1071) of an even number of octets, not all zero."""
    return 0xFFFF - (int.from_bytes(octets, "big") % 0xFFFF or 0xFFFF)


def write(
    path: Path, *, connections: int, packets: int, snap: int, seconds: int = 60, seed: int = 9293
) -> int:
    """Write the capture and `path` + `.truth.jsonl`; return how many packets there are."""
    rng = random.Random(seed)
    each = packets / connections
    all_of_them: list[Connection] = []
    for number in range(connections):
        size = max(6, round(rng.expovariate(1 / max(1.0, each - 6))) + 6)
        all_of_them.append(Connection(number, size, seconds, rng))
    running = [
        (at, number, frame, iterator) for number, (at, frame, iterator) in _started(all_of_them)
    ]
    heapq.heapify(running)
    written = 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap, 1))
        while running:
            at, number, frame, iterator = running[0]
            seconds, nanoseconds = divmod(at, 1_000_000_000)
            kept = frame[:snap]
            out.write(struct.pack("<IIII", seconds, nanoseconds, len(kept), len(frame)) + kept)
            written += 1
            following = next(iterator, None)
            if following is None:
                heapq.heappop(running)
            else:
                heapq.heapreplace(running, (following[0], number, following[1], iterator))
    with path.with_suffix(path.suffix + ".truth.jsonl").open("w", encoding="utf-8") as out:
        for connection in all_of_them:
            out.write(json.dumps(asdict(connection.truth)) + "\n")
    return written


def _started(
    connections: list[Connection],
) -> Iterator[tuple[int, tuple[int, bytes, Iterator[tuple[int, bytes]]]]]:
    for number, connection in enumerate(connections):
        iterator = iter(connection)
        at, frame = next(iterator)
        yield number, (at, frame, iterator)


def main() -> None:
    """Parse the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--snap", type=int, default=96)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=9293)
    asked = parser.parse_args()
    count = write(
        asked.out,
        connections=asked.connections,
        packets=asked.packets,
        snap=asked.snap,
        seconds=asked.seconds,
        seed=asked.seed,
    )
    print(f"{asked.out}: {count} packets")


if __name__ == "__main__":
    main()
