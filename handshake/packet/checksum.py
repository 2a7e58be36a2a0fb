"""IP addresses, and the checksum that TCP computes over them and itself."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from handshake.tcp import Segment

Address: TypeAlias = IPv4Address | IPv6Address

TCP: Final = 6


def checksum(source: bytes, destination: bytes, octets: bytes) -> int:
    """Return the TCP checksum over pseudo-header and octets (section 3.1).

    Over octets that have their checksum in place, 0 comes back if it is right.
    """
    pseudo = source + destination + TCP.to_bytes(4, "big") + len(octets).to_bytes(4, "big")
    return internet_checksum(pseudo + octets)


def internet_checksum(octets: bytes) -> int:
    """Return what makes the sum of all words come out right, theirs left at 0 (RFC 1071)."""
    if len(octets) % 2:
        octets += b"\0"
    # 2**16 is 1 modulo 2**16 - 1, so the sum of all words is the whole number's remainder.
    folded = int.from_bytes(octets, "big") % 0xFFFF
    # A sum of words that are not all zero is never 0, but 0xFFFF.
    return 0xFFFF - (folded or 0xFFFF)


def checksummed(segment: Segment) -> Segment:
    """Return the segment with the right checksum in its header."""
    octets = replace(segment, checksum=0).pack() + segment.payload
    source, destination = segment.source.address.packed, segment.destination.address.packed
    return replace(segment, checksum=checksum(source, destination, octets))
