"""Small captures made by code: a line a packet, written to a file and read by the survey."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from handshake.capture.open import read
from handshake.diagnosis import CODES
from handshake.diagnosis.seen import Seen
from handshake.packet.checksum import checksum, internet_checksum
from handshake.packet.decode import Decoder
from handshake.survey import records
from handshake.tcp import Observed
from tests.capture.files import pcap_header, pcap_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handshake.record import Diagnosis, Record

RAW: Final = 101
CLIENT: Final = ("10.0.0.1", 40000)
SERVER: Final = ("192.0.2.10", 80)
BEGIN: Final = 1_700_000_000 * 10**9

_BITS: Final = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "E": 64, "C": 128}


@dataclass(frozen=True)
class Packet:
    """One packet; `at` in seconds, `flags` as letters: `SA`."""

    at: float
    flags: str
    seq: int = 0
    ack: int = 0
    length: int = 0
    back: bool = False
    """From the server."""

    client: tuple[str, int] = CLIENT
    server: tuple[str, int] = SERVER
    window: int = 64240
    ttl: int = 64
    ident: int | None = None
    mss: int | None = None
    scale: int | None = None
    sack_permitted: bool = False
    stamps: tuple[int, int] | None = None
    cookie: bytes | None = None
    sack: tuple[tuple[int, int], ...] = ()
    wrong: int = 0
    """Added to the right checksum."""

    def octets(self, number: int) -> bytes:
        """Return the IP packet; `number` is its identification unless it has one of its own."""
        ends = (self.server, self.client) if self.back else (self.client, self.server)
        (source, sport), (target, dport) = ends
        one, two = ip_address(source).packed, ip_address(target).packed
        options = self._options()
        bits = (5 + len(options) // 4) << 12
        bits |= sum(_BITS[each] for each in self.flags)
        ack = self.ack % 2**32 if "A" in self.flags else 0
        fields = (sport, dport, self.seq % 2**32, ack, bits, self.window)
        tcp = struct.pack("!HHIIHHHH", *fields, 0, 0) + options + b"x" * self.length
        total = (checksum(one, two, tcp) + self.wrong) & 0xFFFF
        tcp = tcp[:16] + total.to_bytes(2, "big") + tcp[18:]
        if len(one) == 16:
            return struct.pack("!IHBB", 6 << 28, len(tcp), 6, self.ttl) + one + two + tcp
        ident = number if self.ident is None else self.ident
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), ident, 0x4000, self.ttl, 6, 0)
        return head + one + two + tcp

    def _options(self) -> bytes:
        found = b""
        if self.mss is not None:
            found += struct.pack("!BBH", 2, 4, self.mss)
        if self.scale is not None:
            found += bytes((1, 3, 3, self.scale))
        if self.sack_permitted:
            found += bytes((1, 1, 4, 2))
        if self.stamps is not None:
            found += struct.pack("!BBBBII", 1, 1, 8, 10, *self.stamps)
        if self.cookie is not None:
            found += bytes((34, 2 + len(self.cookie))) + self.cookie
        if self.sack:
            edges = b"".join(struct.pack("!II", *each) for each in self.sack)
            found += bytes((1, 1, 5, 2 + len(edges))) + edges
        return found + bytes(-len(found) % 4)


@dataclass(frozen=True)
class Error:
    """An ICMP error that quotes a packet; `at` in seconds."""

    at: float
    kind: int
    code: int
    quoted: Packet
    sender: str = "192.0.2.254"

    def octets(self, number: int) -> bytes:
        """Return the IP packet of the error."""
        one = ip_address(self.sender).packed
        two = ip_address(self.quoted.client[0]).packed
        inside = self.quoted.octets(number)
        if len(one) == 4:
            icmp = struct.pack("!BBHI", self.kind, self.code, 0, 0) + inside[:28]
            icmp = icmp[:2] + internet_checksum(icmp).to_bytes(2, "big") + icmp[4:]
            total = 20 + len(icmp)
            head = struct.pack("!BBHHHBBH", 0x45, 0, total, number, 0, 60, 1, 0) + one + two
            return head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:] + icmp
        icmp = struct.pack("!BBHI", self.kind, self.code, 0, 0) + inside
        pseudo = one + two + struct.pack("!II", len(icmp), 58)
        icmp = icmp[:2] + internet_checksum(pseudo + icmp).to_bytes(2, "big") + icmp[4:]
        return struct.pack("!IHBB", 6 << 28, len(icmp), 58, 60) + one + two + icmp


def up(at: float, flags: str, seq: int = 0, ack: int = 0, length: int = 0, **more: Any) -> Packet:
    """Return a packet of the client."""
    return Packet(at, flags, seq, ack, length, **more)


def down(at: float, flags: str, seq: int = 0, ack: int = 0, length: int = 0, **more: Any) -> Packet:
    """Return a packet of the server."""
    return Packet(at, flags, seq, ack, length, back=True, **more)


def between(packets: Iterable[Packet], **ends: Any) -> list[Packet]:
    """Return the packets between other endpoints, or with other fields."""
    return [replace(each, **ends) for each in packets]


def later(packets: Iterable[Packet], seconds: float) -> list[Packet]:
    """Return the packets, moved in time."""
    return [replace(each, at=each.at + seconds) for each in packets]


def saved(packets: Sequence[Packet | Error], path: Path, snap: int = 65535) -> Path:
    """Write a capture."""
    written = [pcap_header(magic=0xA1B23C4D, link_type=RAW)]
    for number, each in enumerate(packets, 1):
        octets, at = each.octets(number & 0xFFFF), BEGIN + round(each.at * 10**9)
        seconds, fraction = divmod(at, 10**9)
        written.append(
            pcap_record(octets[:snap], seconds=seconds, fraction=fraction, length=len(octets))
        )
    path.write_bytes(b"".join(written))
    return path


def found(packets: Sequence[Packet | Error], snap: int = 65535) -> list[Record]:
    """Return the records of a capture of these packets, after the proof of each diagnosis."""
    with TemporaryDirectory() as directory:
        path = saved(packets, Path(directory) / "made.pcap", snap)
        told = sorted(records(path), key=lambda record: record.stream)
        for each in told:
            if each.diagnosis is not None:
                assert_proven(each.diagnosis, path)
    return told


def only(packets: Sequence[Packet | Error], snap: int = 65535) -> Diagnosis | None:
    """Return the diagnosis of the only connection."""
    (record,) = found(packets, snap)
    return record.diagnosis


def codes(packets: Sequence[Packet | Error], snap: int = 65535) -> list[str | None]:
    """Return the code of each connection's diagnosis."""
    told = [each.diagnosis for each in found(packets, snap)]
    return [None if each is None else each.code for each in told]


def assert_proven(diagnosis: Diagnosis, path: Path) -> None:
    """Fail if the frames that a diagnosis names do not show it: no tracker takes part."""
    by_frame = segments(path)
    assert diagnosis.evidence, diagnosis.code
    assert diagnosis.certainty in ("proven", "likely", "possible")
    evidence = [by_frame[frame] for frame in diagnosis.evidence]
    assert CODES[diagnosis.code].proof(evidence), diagnosis
    assert all(each.frame in by_frame for each in diagnosis.ruled_out)
    assert diagnosis.text
    assert diagnosis.next
    assert all(each.text for each in diagnosis.ruled_out)


@cache
def _decoded(path: Path, _: int) -> dict[int, Seen]:
    decoder, kept = Decoder(), {}
    with read(path) as capture:
        for frame in capture:
            observed = decoder.observed(frame)
            if isinstance(observed, Observed):
                kept[frame.number] = Seen.of(observed)
    return kept


def segments(path: Path) -> dict[int, Seen]:
    """Return the segments of a capture by frame, as the decoder reads them."""
    return _decoded(path, path.stat().st_mtime_ns)
