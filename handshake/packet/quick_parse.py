"""A first look into a packet: who talks to whom, and the numbers, where nothing is uncommon."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.checksum import TCP

if TYPE_CHECKING:
    from handshake.tcp import Endpoint

_V4: Final = struct.Struct("!BxHxxHxB2x12sIIHH").unpack_from
_V6: Final = struct.Struct("!BxxxHBx36sIIHH").unpack_from
_V4_PLAIN: Final = 0x45
_CUT_UP: Final = 0x3FFF
_PORTS: Final = struct.Struct("!HH")
_ONES: Final = 0xFFFF


class Peeked(NamedTuple):
    """What a TCP segment in a packet without IP options says."""

    ends: bytes
    """Both addresses and both ports, as they stand in the packet."""

    seq: int
    ack: int
    bits: int
    """Data offset, reserved bits and flags."""

    window: int
    tcp: int
    """Where the TCP header begins."""

    end: int
    """Where the packet ends, by its IP header."""


def peek(octets: bytes) -> Peeked | None:
    """Return what is in the packet; None where it is no segment, or no plain one."""
    try:
        if octets[0] == _V4_PLAIN:
            _, end, cut, protocol, both, seq, ack, bits, window = _V4(octets)
            # A packet whose header is damaged is for nobody (RFC 1122 section 3.2.1.2).
            tcp, plain = 20, not (cut & _CUT_UP or int.from_bytes(octets[:20], "big") % _ONES)
        else:
            first, length, protocol, both, seq, ack, bits, window = _V6(octets)
            tcp, end, plain = 40, 40 + length, first >> 4 == 6
    except (IndexError, struct.error):
        return None
    if protocol != TCP or not plain:
        return None
    return Peeked(both, seq, ack, bits, window, tcp, end)


def checksum_ok(octets: bytes, found: Peeked) -> bool:
    """Whether the TCP checksum is right: the addresses stand right before the segment."""
    length = found.end - found.tcp
    covered = octets[found.tcp + 4 - len(found.ends) : found.end]
    if length % 2:
        covered += b"\0"
    return (int.from_bytes(covered, "big") + TCP + length) % _ONES == 0


def ends(source: Endpoint, destination: Endpoint) -> bytes:
    """Return both ends as they stand in a packet, which has no scopes."""
    ports = _PORTS.pack(source.port, destination.port)
    return source.address.packed + destination.address.packed + ports
