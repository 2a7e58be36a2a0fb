"""IP addresses, and the Internet checksum (RFC 1071) of IP, ICMP and TCP."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.tcp.checksum import Checksum, is_partial
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.tcp import Segment

Address: TypeAlias = IPv4Address | IPv6Address

_ONES: Final = 0xFFFF


def words_sum(octets: bytes) -> int:
    """Return the sum of all 16-bit words, modulo 2**16 - 1; an odd last octet is padded."""
    if len(octets) % 2:
        octets += b"\0"
    # 2**16 is 1 modulo 2**16 - 1, so the sum of the words is the whole number's remainder.
    return int.from_bytes(octets, "big") % _ONES


def complement(total: int) -> int:
    """Return the checksum that a sum of words needs."""
    # A ones' complement sum of words that are not all zero is never 0, but 0xFFFF.
    return -total % _ONES


def internet_checksum(octets: bytes) -> int:
    """Return the checksum of octets whose checksum field is 0; 0 if the right one is in place."""
    return complement(words_sum(octets))


def checksum(source: bytes, destination: bytes, octets: bytes) -> int:
    """Return the TCP checksum over pseudo-header and octets (section 3.1).

    It is 0 if the octets contain the right checksum.
    """
    return complement(words_sum(source + destination) + TCP + len(octets) + words_sum(octets))


def segment_ok(octets: bytes, length: int) -> bool:
    """Whether the TCP checksum is right; the octets are both addresses, then the segment.

    `length` is that of the segment. In a packet without IP options the addresses directly precede
    it, so the pseudo-header needs no copy.
    """
    return (words_sum(octets) + TCP + length) % _ONES == 0


def judged(addresses: bytes, protocol: int, octets: bytes, field: int) -> Checksum:
    """Return what is in the checksum field at this offset of a segment or datagram."""
    length = len(octets)
    if (words_sum(addresses) + protocol + length + words_sum(octets)) % _ONES == 0:
        return Checksum.RIGHT
    found = int.from_bytes(octets[field : field + 2], "big")
    partial = is_partial(addresses, protocol, length, found)
    return Checksum.PARTIAL if partial else Checksum.WRONG


def checksummed(segment: Segment) -> Segment:
    """Return the segment with the right checksum."""
    octets = replace(segment, checksum=0).pack() + segment.payload
    source, destination = segment.source.address.packed, segment.destination.address.packed
    return replace(segment, checksum=checksum(source, destination, octets))
