"""Parses plain TCP packets in place, fast: addresses, ports, numbers and flags."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.checksum import segment_ok, words_sum
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.tcp import Endpoint

_V4: Final = struct.Struct("!BxHxxHxB2x12sIIHH").unpack_from
_V6: Final = struct.Struct("!BxxxHBx36sIIHH").unpack_from
_V4_PLAIN: Final = 0x45
_FRAGMENTED: Final = 0x3FFF
_PORTS: Final = struct.Struct("!HH")


class Peeked(NamedTuple):
    """The TCP header of a packet without IP options."""

    ends: bytes
    """Both addresses and both ports, as in the packet."""

    seq: int
    ack: int
    bits: int
    """Data offset, reserved bits and flags."""

    window: int
    tcp: int
    """The offset of the TCP header."""

    end: int
    """The end of the packet according to its IP header."""


def peek(octets: bytes) -> Peeked | None:
    """Parse a packet; return None if it is not a plain TCP packet."""
    try:
        if octets[0] == _V4_PLAIN:
            _, end, fragment, protocol, both, seq, ack, bits, window = _V4(octets)
            # Receivers drop packets with a damaged header (RFC 1122 section 3.2.1.2).
            tcp, plain = 20, not (fragment & _FRAGMENTED or words_sum(octets[:20]))
        else:
            first, length, protocol, both, seq, ack, bits, window = _V6(octets)
            tcp, end, plain = 40, 40 + length, first >> 4 == 6
    except (IndexError, struct.error):
        return None
    if protocol != TCP or not plain:
        return None
    return Peeked(both, seq, ack, bits, window, tcp, end)


def checksum_ok(octets: bytes, found: Peeked) -> bool:
    """Whether the TCP checksum is right."""
    return segment_ok(octets[found.tcp + 4 - len(found.ends) : found.end], found.end - found.tcp)


def ends(source: Endpoint, destination: Endpoint) -> bytes:
    """Return both ends as in a packet, where addresses have no scopes."""
    ports = _PORTS.pack(source.port, destination.port)
    return source.address.packed + destination.address.packed + ports
