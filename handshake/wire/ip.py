"""IP packets read from their octets: the fast path, where nobody looks at the packet itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from handshake.tcp import Segment

Address: TypeAlias = IPv4Address | IPv6Address

ICMP: Final = 1
TCP: Final = 6
ICMPV6: Final = 58

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _DESTINATION = 0, 43, 44, 60
_MORE_THAN_OCTETS: Final = {_HOP_BY_HOP, _ROUTING, _DESTINATION}


@dataclass(frozen=True, slots=True)
class Datagram:
    """What an IP header says, and what it carries."""

    source: bytes
    """The address in octets: 4 or 16 of them."""

    destination: bytes
    ttl: int
    """Time to live, or hop limit."""

    protocol: int
    payload: bytes
    """What was captured of the payload; never the padding of a short frame."""

    length: int
    """How many octets of payload the header says there are."""

    @classmethod
    def parse(cls, packet: bytes) -> Datagram | None:
        """Return what the packet says; None where it is no IP packet, or a later fragment."""
        if len(packet) >= 20 and packet[0] >> 4 == 4:
            return cls._parse_v4(packet)
        if len(packet) >= 40 and packet[0] >> 4 == 6:
            return cls._parse_v6(packet)
        return None

    @classmethod
    def _parse_v4(cls, packet: bytes) -> Datagram | None:
        header = (packet[0] & 0xF) * 4
        total = int.from_bytes(packet[2:4], "big")
        if header < 20 or total < header or int.from_bytes(packet[6:8], "big") & 0x1FFF:
            return None
        return cls(
            source=packet[12:16],
            destination=packet[16:20],
            ttl=packet[8],
            protocol=packet[9],
            payload=packet[header:total],
            length=total - header,
        )

    @classmethod
    def _parse_v6(cls, packet: bytes) -> Datagram | None:
        protocol, at = packet[6], 40
        end = 40 + int.from_bytes(packet[4:6], "big")
        while protocol in _MORE_THAN_OCTETS or protocol == _FRAGMENT:
            if at + 8 > len(packet):
                return None
            if protocol != _FRAGMENT:
                protocol, at = packet[at], at + 8 + packet[at + 1] * 8
                continue
            if int.from_bytes(packet[at + 2 : at + 4], "big") & 0xFFF8:
                return None
            protocol, at = packet[at], at + 8
        if at > end:
            return None
        return cls(
            source=packet[8:24],
            destination=packet[24:40],
            ttl=packet[7],
            protocol=protocol,
            payload=packet[at:end],
            length=end - at,
        )

    @property
    def checksum_ok(self) -> bool | None:
        """Whether the TCP checksum is right; None where the packet was cut."""
        if len(self.payload) < self.length:
            return None
        return checksum(self.source, self.destination, self.payload) == 0


def checksum(source: bytes, destination: bytes, octets: bytes) -> int:
    """Return the TCP checksum over pseudo-header and octets (section 3.1).

    Over octets that have their checksum in place, 0 comes back if it is right.
    """
    pseudo = source + destination + TCP.to_bytes(4, "big") + len(octets).to_bytes(4, "big")
    whole = pseudo + octets + b"\0" * (len(octets) % 2)
    # 2**16 is 1 modulo 2**16 - 1, so the sum of all words is the whole number's remainder.
    folded = int.from_bytes(whole, "big") % 0xFFFF
    # A sum of words that are not all zero is never 0, but 0xFFFF.
    return 0xFFFF - (folded or 0xFFFF)


def checksummed(segment: Segment) -> Segment:
    """Return the segment with the right checksum in its header."""
    octets = replace(segment, checksum=0).pack() + segment.payload
    source, destination = segment.source.address.packed, segment.destination.address.packed
    return replace(segment, checksum=checksum(source, destination, octets))
