"""Makes the captures of `survey.py`, one of each kind, and the truth about their connections.

    python benchmarks/kinds.py KIND OUT.pcap [--packets 100000]

Each kind is a function that yields packets in the order of time, and notes in a `Truths` what a
record of each connection must say. The truth is known from how the packets are made, not from
reading them; a seeded generator makes the same octets from the same arguments.
"""

from __future__ import annotations

import argparse
import json
import random
import struct
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generate import ACK, MSS, PSH, RST, START, SYN, Connection, checksum, dotted, packet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Packet = tuple[int, bytes]
    Kind = Callable[[int, random.Random, "Truths"], Iterable[Packet]]

MICROSECOND, SECOND = 1_000, 1_000_000_000
CLIENT, SERVER = 0x0A000001, 0x0A800001
WHOLE, CUT = 2_000, 96
VLAN = bytes.fromhex("81000064")
IP6 = struct.Struct("!IHBB16s16s")


class Truths:
    """What the records must say: parts of them, by socket pair and the client's ISN."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, ends: tuple[str, int, str, int], iss: int | None = None, **parts: Any) -> None:
        """Note what is true of one connection: fields of its record, by their paths."""
        self.found.append({"ends": ends, "iss": iss, **parts})

    def of(self, made: Connection, **other: Any) -> None:
        """Note what is true of a generated connection."""
        truth = asdict(made.truth)
        ends = tuple(truth.pop(each) for each in ("client", "client_port", "server", "server_port"))
        self.add(ends, **{**truth, **other})

    def save(self, path: Path) -> None:
        """Write a line of JSON for each."""
        lines = (json.dumps(each) + "\n" for each in self.found)
        path.write_text("".join(lines), encoding="utf-8")


def write(path: Path, kind: str, packets: int, seed: int = 9293) -> int:
    """Write a capture of a kind and `path` + `.truth.jsonl`; return how many packets there are."""
    truths, rng = Truths(), random.Random(f"{kind} {seed}")
    snap = WHOLE if kind in ("clean", "zero", "partial", "wrong") else CUT
    count = 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, snap, 1))
        for at, frame in KINDS[kind](packets, rng, truths):
            kept = frame[:snap]
            head = struct.pack("<IIII", at // SECOND, at % SECOND, len(kept), len(frame))
            out.write(head + kept)
            count += 1
    truths.save(path.with_suffix(path.suffix + ".truth.jsonl"))
    return count


def established(
    packets: int, rng: random.Random, truths: Truths, first: int = 0
) -> Iterator[Packet]:
    """Yield connections that all open; some are reset, or retransmit once."""
    made: list[Connection] = []
    total = 0
    while total < packets:
        each = Connection(first + len(made), max(8, round(rng.expovariate(1 / 44)) + 8), 60, rng)
        each.history = rng.choices(("clean", "reset", "retransmission"), (0.95, 0.02, 0.03))[0]
        made.append(each)
        total += each.packets
    yield from sorted(((at, frame) for each in made for at, frame in each), key=lambda it: it[0])
    for each in made:
        truths.of(each)


def changed(change: Callable[[bytes], bytes], *, six: bool = False) -> Kind:
    """Return the kind of `established` with its frames changed, to IPv6 with `six`."""

    def make(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
        inner = Truths()
        for at, frame in established(packets, rng, inner):
            yield at, change(frame)
        truths.found += (_over6(each) if six else each for each in inner.found)

    return make


def _over6(truth: dict[str, Any]) -> dict[str, Any]:
    client, sport, server, dport = truth["ends"]
    return {**truth, "ends": (_text6(client), sport, _text6(server), dport)}


def zeroed(frame: bytes) -> bytes:
    """Return a frame whose TCP checksum is 0, as an anonymiser or offload leaves it."""
    return frame[:50] + b"\0\0" + frame[52:]


def partial(frame: bytes) -> bytes:
    """Return it as the sending host captures it: client's checksums are those of pseudo-headers."""
    if frame[26] != CLIENT >> 24 or frame[27] >= 0x80:
        return frame
    pseudo = frame[26:34] + struct.pack("!HH", 6, len(frame) - 34)
    return frame[:50] + struct.pack("!H", 0xFFFF - checksum(pseudo)) + frame[52:]


def damaged(frame: bytes) -> bytes:
    """Return it as after a tool rewrote addresses without mending the client's checksums."""
    if frame[26] != CLIENT >> 24 or frame[27] >= 0x80:
        return frame
    (found,) = struct.unpack_from("!H", frame, 50)
    return frame[:50] + struct.pack("!H", (found + 0x1234) % 0xFFFF) + frame[52:]


def tagged(frame: bytes) -> bytes:
    """Return it in VLAN 100."""
    return frame[:12] + VLAN + frame[12:]


def version6(frame: bytes) -> bytes:
    """Return it over IPv6: the addresses get a prefix."""
    segment = frame[34:]
    source, destination = (_prefixed(frame[at : at + 4]) for at in (26, 30))
    bare = segment[:16] + b"\0\0" + segment[18:]
    padded = bare + b"\0" * (len(bare) % 2)
    sum_ = checksum(source + destination + struct.pack("!II", len(segment), 6) + padded)
    segment = segment[:16] + struct.pack("!H", sum_) + segment[18:]
    head = IP6.pack(6 << 28, len(segment), 6, 64, source, destination)
    return frame[:12] + b"\x86\xdd" + head + segment


def _prefixed(address: bytes) -> bytes:
    return b"\x20\x01\x0d\xb8" + bytes(8) + address


def _text6(address: str) -> str:
    from ipaddress import IPv4Address, IPv6Address

    return str(IPv6Address(_prefixed(IPv4Address(address).packed)))


def both(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield connections over IPv4 and IPv6, with and without a VLAN tag, mixed."""
    frames: list[Packet] = []
    for part, (change, six) in enumerate(
        ((None, False), (version6, True), (tagged, False), (lambda it: tagged(version6(it)), True))
    ):
        inner = Truths()
        found = established(packets // 4, rng, inner, first=part * 10_000)
        frames += ((at, change(frame) if change else frame) for at, frame in found)
        truths.found += (_over6(each) if six else each for each in inner.found)
    yield from sorted(frames, key=lambda it: it[0])


def middle(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield connections whose beginning and end were not captured."""
    made: list[tuple[Connection, list[Packet]]] = []
    total = 0
    while total < packets:
        each = Connection(len(made), max(20, round(rng.expovariate(1 / 44)) + 20), 60, rng)
        each.history, each.ports = "clean", (20_000 + len(made) % 40_000, rng.choice((80, 443)))
        each.truth.client_port, each.truth.server_port = each.ports
        opened = len(list(islice(each._open(), 3)))
        each.truth.segments = [0, 0]
        made.append((each, list(each._data(each.packets - opened))))
        total += len(made[-1][1])
    yield from sorted(chain.from_iterable(found for _, found in made), key=lambda it: it[0])
    for each, _ in made:
        truths.of(each, outcome="mid-stream", rtt=None, completeness=None, conn_state=None)


def lossy(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield connections that lose 2 % of the server's data after the point of capture.

    The client repeats its ACK for each segment after the loss, and after three of them the server
    sends the lost one again; what had come meanwhile is then acknowledged at once.
    """
    made: list[tuple[_Lossy, list[Packet]]] = []
    total = 0
    while total < packets:
        each = _Lossy(len(made), 60, rng)
        made.append((each, list(each.exchange(rng.randrange(20, 200)))))
        total += len(made[-1][1])
    yield from sorted(chain.from_iterable(found for _, found in made), key=lambda it: it[0])
    for each, _ in made:
        truths.of(each, duplicate_acks=[each.repeated, 0])


class _Lossy(Connection):
    """A download that loses some segments."""

    def __init__(self, number: int, seconds: int, rng: random.Random) -> None:
        super().__init__(number, 0, seconds, rng)
        self.repeated = 0

    def exchange(self, count: int) -> Iterator[Packet]:
        """Yield the whole connection."""
        yield from self._open()
        yield from self._send(0, 300, retransmit=False)
        self.at += self.way
        left = count
        while left > 0:
            # A window of eight: the client acknowledges each second one that comes in order.
            window, lost = min(8, left), None
            if window == 8 and self.rng.random() < 8 * 0.02:
                lost = self.rng.randrange(4)
            for place in range(window):
                yield from self._send(1, MSS, retransmit=False)
                if lost is None and (place % 2 or place == window - 1):
                    self.at += 10 * MICROSECOND
                    yield self.at, self.segment(0, ACK)
            if lost is not None:
                yield from self._recover(lost, window)
            left -= window
        yield from self._close()
        self.truth.completeness = 31

    def _recover(self, lost: int, window: int) -> Iterator[Packet]:
        """Yield the ACKs of a window of which one segment was lost, and that segment again."""
        top = self.sent[1]
        first = top - window * MSS
        self.sent[1] = first + lost * MSS
        if lost:
            self.at += 10 * MICROSECOND
            yield self.at, self.segment(0, ACK)
        for _ in range(window - lost - 1):
            self.at += 50 * MICROSECOND
            yield self.at, self.segment(0, ACK)
            self.repeated += 1
        self.at += 2 * self.way
        yield self.at, self.segment(1, ACK | PSH, MSS)
        self.truth.retransmissions[1] += 1
        self.sent[1] = top
        self.at += self.way
        yield self.at, self.segment(0, ACK)


def scan(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield SYNs to many ports, each refused."""
    for number in range(packets // 2):
        at, iss = START + number * 20 * MICROSECOND, rng.getrandbits(32)
        server = SERVER + number // 60_000
        sport, dport = 40_000 + number % 3, 1 + number % 60_000
        yield at, packet(CLIENT, server, sport, dport, iss, 0, SYN, (1, 0), 0)
        answer = packet(
            server, CLIENT, dport, sport, 0, (iss + 1) & 0xFFFFFFFF, RST | ACK, (0, 0), 0
        )
        yield at + 9 * MICROSECOND, answer
        ends = dotted(CLIENT), sport, dotted(server), dport
        truths.add(ends, iss, outcome="refused", segments=[1, 1], conn_state="REJ")


def flood(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield SYNs of spoofed sources to one port, without an answer."""
    for number in range(packets):
        at, iss = START + number * 20 * MICROSECOND, rng.getrandbits(32)
        client, sport = 0x0B000000 + rng.getrandbits(24), rng.randrange(1024, 65536)
        yield at, packet(client, SERVER, sport, 80, iss, 0, SYN, (1, 0), 0)
        truths.add((dotted(client), sport, dotted(SERVER), 80), iss, outcome="no-answer")


def half_open(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield SYNs that are answered, and then nothing."""
    for number in range(packets // 2):
        at, iss = START + number * 20 * MICROSECOND, rng.getrandbits(32)
        client, sport = 0x0B000000 + number, 1024 + number % 60_000
        yield at, packet(client, SERVER, sport, 80, iss, 0, SYN, (1, 0), 0)
        isn, ack = rng.getrandbits(32), (iss + 1) & 0xFFFFFFFF
        yield at + 9_000, packet(SERVER, client, 80, sport, isn, ack, SYN | ACK, (1, 1), 0)
        truths.add((dotted(client), sport, dotted(SERVER), 80), iss, outcome="half-open")


def short(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield connections of few packets, one request and one response."""
    made = []
    for number in range(packets // 9):
        each = Connection(number, 9, 60, rng)
        each.history = "clean"
        each.at = START + number * 300 * MICROSECOND
        made.append((each, list(each)))
    yield from sorted(chain.from_iterable(found for _, found in made), key=lambda it: it[0])
    for each, _ in made:
        truths.of(each)


def one(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield one long connection."""
    each = Connection(0, packets, 1, rng)
    each.history = "clean"
    yield from each
    truths.of(each)


def holes(order: str) -> Kind:
    """Return the kind of a stream of which every second octet is left out."""

    def make(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
        each = Connection(0, 0, 1, rng)
        yield from each._open()
        places = [2 * place for place in range(packets - 3)]
        if order == "down":
            places.reverse()
        elif order == "random":
            rng.shuffle(places)
        for place in places:
            each.at += 20 * MICROSECOND
            yield each.at, each.segment(1, ACK | PSH, 1, offset=1 + place)
        truths.of(each, bytes=None, retransmissions=None, completeness=None, conn_state=None)

    return make


def sacked(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield one download whose client acknowledges nothing but by SACK, block after block."""
    each = Connection(0, 0, 1, rng)
    yield from each._open()
    for number in range((packets - 3) // 2):
        each.at += 20 * MICROSECOND
        yield each.at, each.segment(1, ACK | PSH, 100, offset=101 + 200 * number)
        each.at += 10 * MICROSECOND
        frame = each.segment(0, ACK)
        left = (each.isn[1] + 101 + 200 * number) & 0xFFFFFFFF
        yield each.at, _with_sack(frame, left, (left + 100) & 0xFFFFFFFF)
    truths.of(each, bytes=None, retransmissions=None, completeness=None, conn_state=None)


def _with_sack(frame: bytes, left: int, right: int) -> bytes:
    segment = frame[34:] + struct.pack("!BBBBII", 1, 1, 5, 10, left, right)
    offset = (segment[12] >> 4) + 3
    segment = segment[:12] + bytes((offset << 4,)) + segment[13:16] + b"\0\0" + segment[18:]
    sum_ = checksum(frame[26:34] + struct.pack("!HH", 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", sum_) + segment[18:]
    head = (
        frame[14:16] + struct.pack("!H", 20 + len(segment)) + frame[18:24] + b"\0\0" + frame[26:34]
    )
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return frame[:14] + head + segment


def one_pair(packets: int, rng: random.Random, truths: Truths) -> Iterator[Packet]:
    """Yield SYNs of one port pair, each with another ISN."""
    ends = dotted(CLIENT), 40_000, dotted(SERVER), 80
    for number in range(packets):
        iss = (number * 65_537 + rng.randrange(1_000)) & 0xFFFFFFFF
        at = START + number * 50 * MICROSECOND
        yield at, packet(CLIENT, SERVER, 40_000, 80, iss, 0, SYN, (1, 0), 0)
        truths.add(ends, iss, outcome="no-answer", segments=[1, 0])


KINDS: dict[str, Kind] = {
    "clean": established,
    "cut": established,
    "zero": changed(zeroed),
    "partial": changed(partial),
    "wrong": changed(damaged),
    "mid-stream": middle,
    "lossy": lossy,
    "scan": scan,
    "flood": flood,
    "one": one,
    "short": short,
    "half-open": half_open,
    "holes-up": holes("up"),
    "holes-down": holes("down"),
    "holes-random": holes("random"),
    "sack": sacked,
    "one-pair": one_pair,
    "ipv6": changed(version6, six=True),
    "vlan": changed(tagged),
    "mixed": both,
}
"""The kinds of captures by name."""


def main() -> None:
    """Parse the arguments, write, and print how many packets there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=9293)
    asked = parser.parse_args()
    print(write(asked.out, asked.kind, asked.packets, asked.seed))


if __name__ == "__main__":
    main()
