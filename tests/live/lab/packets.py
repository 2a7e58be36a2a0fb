"""Packets built octet by octet, wrong ones as well: what a scripted peer sends."""

import struct
from dataclasses import dataclass, replace

from handshake.packet.checksum import Address, checksummed, internet_checksum
from handshake.tcp import Observed, Segment, Seq
from handshake.units import TCP

_V4, _V6 = 4, 6
_ICMP, _ICMPV6, _FRAGMENT = 1, 58, 44
_DO_NOT_FRAGMENT, _MORE = 0x4000, 0x2000
_IDENTIFICATION = 0x4A11
_V6_HEADER = 40

_QUOTED = {_V4: 576 - 28, _V6: 1280 - 48}
"""Octets of a packet that an ICMP error quotes at most (RFC 1812, RFC 4443)."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet that a peer sends, and when."""

    octets: bytes
    """From its IP header on."""

    after: float = 0.0
    """Seconds after the arrival of what it answers."""

    def later(self, seconds: float) -> "Packet":
        """Return the same packet, sent so much later."""
        return replace(self, after=self.after + seconds)

    def with_octets(self, octets: bytes) -> "Packet":
        """Return a packet of other octets, as they are, sent at the same time."""
        return replace(self, octets=octets)


def packet(
    seg: Segment,
    *,
    ttl: int = 64,
    traffic_class: int = 0,
    above: bytes = b"",
    spoiled: bool = False,
) -> Packet:
    """Return the packet of a segment, its checksum filled in: a wrong one if it is `spoiled`.

    `above` stands between IP header and segment: options of IPv4, or an extension header of
    IPv6 whose first two octets are its number (left out of the packet) and the one that follows.
    """
    right = checksummed(seg)
    if spoiled:
        right = replace(right, checksum=right.checksum ^ 0x0101)
    octets = right.pack() + seg.payload
    source, destination = seg.source.address, seg.destination.address
    return Packet(_ip(source, destination, TCP, octets, ttl, traffic_class, above))


def icmp(
    received: Observed,
    kind: int,
    code: int,
    *,
    sender: Address,
    seq: Seq | None = None,
    quoted: int | None = None,
) -> Packet:
    """Return the ICMP error about a received segment, by `sender`: the peer or a router.

    It quotes `quoted` octets of the segment, with `seq` as its sequence number.
    """
    client = received.segment.source.address
    at = received.packet.index(received.segment.pack()[:8])
    octets = received.packet[: _QUOTED[client.version]]
    if quoted is not None:
        octets = octets[: at + quoted]
    if seq is not None:
        octets = octets[: at + 4] + int(seq).to_bytes(4, "big") + octets[at + 8 :]
    body = struct.pack("!BBHI", kind, code, 0, 0) + octets
    protocol, pseudo = _ICMP, b""
    if client.version == _V6:
        protocol = _ICMPV6
        pseudo = sender.packed + client.packed + struct.pack("!II", len(body), protocol)
    found = internet_checksum(pseudo + body)
    return Packet(_ip(sender, client, protocol, body[:2] + found.to_bytes(2, "big") + body[4:]))


def fragments(whole: Packet, size: int = 24) -> list[Packet]:
    """Return the packet cut up, `size` octets of its payload in each part: a multiple of eight."""
    octets = whole.octets
    version = octets[0] >> 4
    begin = (octets[0] & 0xF) * 4 if version == _V4 else _V6_HEADER
    header, payload = octets[:begin], octets[begin:]
    parts = []
    for at in range(0, len(payload), size):
        part, more = payload[at : at + size], at + size < len(payload)
        cut = _cut_v4 if version == _V4 else _cut_v6
        parts.append(Packet(cut(header, part, at, more), whole.after))
    return parts


def extension(kind: int, following: int = TCP) -> bytes:
    """Return what `above` takes: an extension header of IPv6 with nothing in it.

    As kind 44 it is an atomic fragment (RFC 6946); as kind 0 or 60 it holds six octets of padding.
    """
    data = struct.pack("!HI", 0, _IDENTIFICATION) if kind == _FRAGMENT else b"\x01\x04" + bytes(4)
    return bytes((kind, following, 0)) + data


def _ip(
    source: Address,
    destination: Address,
    protocol: int,
    payload: bytes,
    ttl: int = 64,
    traffic_class: int = 0,
    above: bytes = b"",
) -> bytes:
    addresses = source.packed + destination.packed
    if source.version == _V6:
        first = protocol
        if above:
            first, payload = above[0], above[1:] + payload
        head = struct.pack("!IHBB", _V6 << 28 | traffic_class << 20, len(payload), first, ttl)
        return head + addresses + payload
    words = 5 + len(above) // 4
    length = words * 4 + len(payload)
    fixed = struct.pack(
        "!BBHHHBBH",
        *(_V4 << 4 | words, traffic_class, length),
        *(_IDENTIFICATION, _DO_NOT_FRAGMENT, ttl, protocol, 0),
    )
    return _with_checksum(fixed + addresses + above) + payload


def _with_checksum(header: bytes) -> bytes:
    """Return a header of IPv4 with its checksum filled in."""
    found = internet_checksum(header[:10] + bytes(2) + header[12:])
    return header[:10] + found.to_bytes(2, "big") + header[12:]


def _cut_v4(header: bytes, part: bytes, at: int, more: bool) -> bytes:
    offset = (_MORE if more else 0) | at // 8
    length = len(header) + len(part)
    cut = header[:2] + struct.pack("!HHH", length, _IDENTIFICATION, offset) + header[8:]
    return _with_checksum(cut) + part


def _cut_v6(header: bytes, part: bytes, at: int, more: bool) -> bytes:
    extra = struct.pack("!BBHI", header[6], 0, at | more, _IDENTIFICATION)
    length = len(extra) + len(part)
    cut = header[:4] + struct.pack("!HB", length, _FRAGMENT) + header[7:]
    return cut + extra + part
