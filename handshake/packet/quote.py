"""The packet that an ICMP error quotes, as it was where the error was sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handshake.packet.ip import header
from handshake.tcp import Segment
from handshake.tcp.address import ip_address
from handshake.tcp.segment import HEADER, OPTIONS_CUT

if TYPE_CHECKING:
    from handshake.tcp.icmp import IcmpError

_ICMP_HEADER = 8


@dataclass(frozen=True, slots=True)
class Quote:
    """A quoted packet, as far as the error quotes it."""

    ttl: int
    """Time to live, or hop limit, when it was dropped."""

    tos: int
    """The type of service octet of IPv4, or the traffic class of IPv6."""

    segment: Segment | None
    """Its segment; None if the quote ends before the window (RFC 792 asks for eight octets)."""

    @property
    def whole(self) -> bool:
        """Whether all options are quoted."""
        return self.segment is not None and OPTIONS_CUT not in self.segment.problems


def quote_of(error: IcmpError) -> Quote | None:
    """Return the packet that an ICMP error quotes; None if the error itself was not kept."""
    try:
        outer = header(error.packet, 0, len(error.packet))
        return packet_quote(error.packet[outer.at + _ICMP_HEADER : outer.end])
    except ValueError:
        return None


def packet_quote(packet: bytes) -> Quote:
    """Return a packet, whole or not, as a quote. Raises ValueError without an IP header."""
    found = header(packet, 0, len(packet))
    if packet[0] >> 4 == 4:
        tos, told = packet[1], int.from_bytes(packet[2:4], "big")
    else:
        tos = (packet[0] & 0xF) << 4 | packet[1] >> 4
        told = 40 + int.from_bytes(packet[4:6], "big")
    octets = packet[found.at : found.end]
    # What the sender gave TCP: more than a short quote has.
    length = max(told - found.at, len(octets))
    segment = None
    if len(octets) >= HEADER.size:
        ends = ip_address(found.source), ip_address(found.destination)
        segment = Segment.parse(*ends, octets, length)
    return Quote(found.ttl, tos, segment)
