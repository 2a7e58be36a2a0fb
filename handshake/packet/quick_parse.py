"""Parses plain TCP packets in place, fast: addresses, ports, numbers and flags."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.packet.checksum import segment_ok
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.tcp import Endpoint

_V4: Final = struct.Struct("!BxHxxHxB2x12sIIHH").unpack_from
_V6: Final = struct.Struct("!BxxxHBx36sIIHH").unpack_from
_V4_PLAIN: Final = 0x45
_FRAGMENTED: Final = 0x3FFF
_PORTS: Final = struct.Struct("!HH")


# A named tuple would take twice as long to make.
Peeked: TypeAlias = tuple[bytes, int, int, int, int, int, int]
"""The TCP header of a packet without IP options.

Both addresses and both ports as in the packet; sequence and ACK number; data offset, reserved bits
and flags in one number; window; the offset of the TCP header, and the end of the packet according
to its IP header.
"""


def peek(octets: bytes) -> Peeked | None:
    """Parse a packet; return None if it is not a plain TCP packet."""
    try:
        if octets[0] == _V4_PLAIN:
            _, end, fragment, protocol, both, seq, ack, bits, window = _V4(octets)
            # Receivers drop packets with a damaged header (RFC 1122 section 3.2.1.2). The sum is
            # that of `words_sum`, which would be one more call for each packet.
            damaged = int.from_bytes(octets[:20], "big") % 0xFFFF
            if protocol != TCP or fragment & _FRAGMENTED or damaged:
                return None
            return both, seq, ack, bits, window, 20, end
        first, length, protocol, both, seq, ack, bits, window = _V6(octets)
    except (IndexError, struct.error):
        return None
    if protocol != TCP or first >> 4 != 6:
        return None
    return both, seq, ack, bits, window, 40, 40 + length


def options_of(octets: bytes, found: Peeked, *, unfinished: bool) -> bytes | None:
    """Return the TCP options of a whole segment; None if the packet is cut, or damaged.

    The checksum of an `unfinished` one is not filled in yet.
    """
    both, _, _, bits, _, tcp, end = found
    data = tcp + (bits >> 10 & 0x3C)
    if not tcp + 20 <= data <= end <= len(octets):
        return None
    # Both addresses directly precede the TCP header.
    if unfinished or segment_ok(octets[tcp + 4 - len(both) : end], end - tcp):
        return octets[tcp + 20 : data]
    return None


def ends(source: Endpoint, destination: Endpoint) -> bytes:
    """Return both ends as in a packet, where addresses have no scopes."""
    ports = _PORTS.pack(source.port, destination.port)
    return source.address.packed + destination.address.packed + ports
