"""Takes a packet apart: finds its headers, malformed or cut ones, too, and judges its checksum."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handshake.crafter.beginnings import (
    BEGINNINGS,
    TCP_ALONE,
    TITLES,
    ip_offset,
    other_type,
    probable,
)
from handshake.crafter.decoded import Decoded
from handshake.crafter.fields import CHECKSUM_AT, DESTINATION, SOURCE, covered_ends
from handshake.crafter.problems import problems
from handshake.errors import UsageError
from handshake.packet.checksum import checksum, judged
from handshake.packet.frame import Frame
from handshake.packet.ip import header
from handshake.packet.ip_header import V6, IpHeader
from handshake.packet.layer_parser import LayerParser
from handshake.tcp import Segment
from handshake.tcp.address import ip_address
from handshake.tcp.checksum import Checksum
from handshake.tcp.icmp import IcmpError
from handshake.tcp.segment import HEADER
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Container

    from handshake.packet.checksum import Address

_PADDING: Final = bytes(120)
"""What is put behind a packet that was cut: more than its headers can be long."""

_ICMP_OCTETS: Final = 8

_NAMES: Final = {1: "ICMP", 2: "IGMP", 17: "UDP", 47: "GRE", 50: "ESP", 58: "ICMPv6", 132: "SCTP"}
"""Protocols of IP that are often found instead of TCP."""

_TYPE_NAMES: Final = {0x0806: "ARP", 0x8035: "RARP", 0x888E: "EAPOL", 0x88CC: "LLDP", 0x88F7: "PTP"}
"""EtherTypes that are often found instead of IP's."""


def decode(
    octets: bytes,
    beginning: str | None = None,
    *,
    link_type: int | None = None,
    length: int | None = None,
    ends: tuple[Address, Address] | None = None,
) -> Decoded:
    """Take a packet apart.

    `beginning` is what the octets begin with, one of `BEGINNINGS`; None to find out. Octets of a
    capture have a `link_type` instead, and a `length` on the wire. `ends` are the addresses of a
    segment without an IP header: its checksum covers them. Raises UsageError if there is no TCP
    segment in it.
    """
    found = _taken_apart(octets, beginning, link_type, length, ends)
    return replace(found, problems=problems(found))


def _taken_apart(
    octets: bytes,
    beginning: str | None,
    link_type: int | None,
    length: int | None,
    ends: tuple[Address, Address] | None,
) -> Decoded:
    """Return the packet, without what is wrong with it."""
    if not octets:
        raise UsageError("decode.empty")
    forced = beginning is not None
    if link_type is None:
        beginning = beginning or probable(octets)
        if beginning is None:
            _refuse_other_type(octets, BEGINNINGS["ethernet"], _TYPE_NAMES)
            raise UsageError("decode.unknown", beginnings=list(BEGINNINGS))
        if beginning == TCP_ALONE:
            return _alone(octets, ends)
        link_type = BEGINNINGS[beginning]
    else:
        beginning = next((each for each, kind in BEGINNINGS.items() if kind == link_type), "frame")
    whole = len(octets) if length is None else length
    try:
        found = LayerParser().parse(Frame(1, 0, 0, link_type, whole, octets, 0))
    except Exception:  # what is malformed is named below
        found = None
    if isinstance(found, tuple):
        ip_at, at, end, joined, via = found[11:16]
        return _decoded(joined or octets, beginning, via, ip_at, at, end)
    if isinstance(found, IcmpError):
        return _quoted(octets, beginning, found)
    above_at = ip_offset(octets, link_type)
    if above_at is None:
        # Octets that are no frame at all have something there, too.
        _refuse_other_type(octets, link_type, _TYPE_NAMES if forced else range(0x10000))
        raise UsageError("decode.no-ip", beginning=TITLES.get(beginning, "IP"))
    return _malformed(octets, beginning, (), above_at, forced=forced)


def _refuse_other_type(octets: bytes, link_type: int, among: Container[int]) -> None:
    """Raise UsageError for a frame with something else than IP in it."""
    if (found := other_type(octets, link_type)) is not None and found[1] in among:
        at, kind = found
        name = _TYPE_NAMES.get(kind, "")
        raise UsageError("decode.ether-type", at=at, ether_type=f"0x{kind:04x}", name=name)


def _alone(octets: bytes, ends: tuple[Address, Address] | None) -> Decoded:
    """Decode a segment without an IP header."""
    source, destination = ends or (SOURCE[4].address, DESTINATION[4].address)
    padded = octets if len(octets) >= HEADER.size else (octets + _PADDING)[: HEADER.size]
    segment = Segment.parse(source, destination, padded, len(padded))
    kind, right = Checksum.UNKNOWN, None
    if ends is not None and len(octets) >= HEADER.size:
        kind, right = _judged(source.packed, destination.packed, octets)
    return Decoded(octets, TCP_ALONE, (), None, 0, 0, len(octets), segment, kind, right)


def _quoted(octets: bytes, beginning: str, error: IcmpError) -> Decoded:
    """Decode the packet that an ICMP error quotes, which is usually cut."""
    outer = octets.find(error.packet)
    inner = outer + header(error.packet, 0, len(error.packet)).at + _ICMP_OCTETS
    return _malformed(octets, beginning, ("icmp",), inner, forced=False)


def _malformed(
    octets: bytes, beginning: str, via: tuple[str, ...], ip_at: int, *, forced: bool
) -> Decoded:
    """Decode a packet whose headers are wrong or not whole, as far as they go."""
    above = IpHeader.parse(octets[ip_at:] + _PADDING)
    if above.protocol != TCP and not forced:
        name = _NAMES.get(above.protocol, "")
        raise UsageError("decode.protocol", at=ip_at, protocol=above.protocol, name=name)
    at = ip_at + above.size
    told = ip_at + above.length + (V6.size if above.version == 6 else 0)
    end = told if told >= at else max(at, len(octets))
    return _decoded(octets, beginning, via, ip_at, at, end)


def _decoded(
    octets: bytes, beginning: str, via: tuple[str, ...], ip_at: int, at: int, end: int
) -> Decoded:
    padded = octets[:end]
    if len(padded) < at + HEADER.size:
        padded = (padded + _PADDING)[: at + HEADER.size]
    above = IpHeader.parse(padded[ip_at:])
    above = IpHeader.parse(padded[ip_at:], at - ip_at - above.size)
    ends = covered_ends(padded[ip_at:], above)
    source, destination = map(ip_address, ends)
    length = max(end - at, HEADER.size)
    segment = Segment.parse(source, destination, padded[at:], length)
    kind, right = Checksum.UNKNOWN, None
    if HEADER.size <= end - at <= len(octets) - at and not above.is_fragment:
        kind, right = _judged(*ends, octets[at:end])
    return Decoded(octets, beginning, via, above, ip_at, at, end, segment, kind, right)


def _judged(source: bytes, destination: bytes, segment: bytes) -> tuple[Checksum, int]:
    """Return the kind of a segment's checksum, and the right one."""
    blank = segment[:CHECKSUM_AT] + b"\0\0" + segment[CHECKSUM_AT + 2 :]
    return judged(source + destination, TCP, segment, CHECKSUM_AT), checksum(
        source, destination, blank
    )
