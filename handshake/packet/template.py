"""Templates: a packet that Scapy builds once, in which each segment's own numbers are patched."""

from __future__ import annotations

import secrets
import struct
from itertools import count
from typing import TYPE_CHECKING, Final

from handshake.packet import scapy_codec
from handshake.packet.checksum import TCP
from handshake.tcp.option_kinds import Kind

if TYPE_CHECKING:
    from handshake.tcp import Segment

_HEADER: Final = {4: 20, 6: 40}
"""Octets of the IP header, by its version."""

_ADDRESSES: Final = {4: 12, 6: 8}
"""Where the two addresses begin: the ports follow them at once."""

_ONES: Final = 0xFFFF
_LABEL_BITS: Final = 20
_SPREAD: Final = 0x9E37
"""Odd, so that two sums never lead to the same label."""

_PORTS: Final = struct.Struct("!HH")
_STAMP_ALONE: Final = bytes((Kind.NOP, Kind.NOP, Kind.TIMESTAMPS, 10))

_SHAPES: Final = 256
"""Templates kept: options that are never twice the same must not fill our memory."""


class Template:
    """The packet of a segment, in which addresses, ports, numbers, flags and clocks can change."""

    def __init__(self, segment: Segment, ttl: int = 64, tos: int = 0) -> None:
        packet = scapy_codec.packet(segment, ttl, tos)
        version = segment.source.version
        if version == 4:
            packet.flags = "DF"  # as Linux does: the path is to tell its MTU (RFC 1191)
            packet.chksum = 0  # for the kernel to fill in
        octets = bytes(packet)
        begin, tcp = _ADDRESSES[version], _HEADER[version]
        stamp = stamp_at(segment.options.raw)
        clocks = len(octets) if stamp < 0 else tcp + 20 + stamp
        self._parts = (octets[:begin], octets[tcp + 18 : clocks], octets[clocks + 8 :])
        ends = tcp + 4 - begin
        middle, rest = (len(part) for part in self._parts[1:])
        # What is never cut up needs none (RFC 6864 section 4.1), but Linux gives it one.
        self._identification = count(secrets.randbits(16)) if version == 4 else None
        self._pack = struct.Struct(f"!{begin}s{ends}sIIHHH{middle}s{rest}s").pack
        self._pack_stamped = struct.Struct(f"!{begin}s{ends}sIIHHH{middle}sII{rest}s").pack
        self.stamped = stamp >= 0
        """Whether there are clocks in it to patch."""

        # A number that does not begin at a whole word counts with its octets swapped (RFC 1071).
        self._turn = 256 if stamp % 2 else 1
        fixed = bytes(18) + octets[tcp + 18 : clocks] + bytes(8 * self.stamped) + self._parts[2]
        self._sum = TCP + len(octets) - tcp + words_sum(fixed)

    def fill(
        self,
        ends: bytes,
        ends_sum: int,
        seq: int,
        ack: int,
        bits: int,
        window: int,
        value: int = 0,
        echo: int = 0,
    ) -> bytes:
        """Return the packet with its TCP checksum; the kernel fills in that of an IPv4 header.

        `ends` are both addresses and both ports, and `ends_sum` is their `words_sum`; `bits`
        stand for data offset, reserved bits and flags. Clocks have a place in it
        only if it is `stamped`.
        """
        # 2**16 is 1 modulo 2**16 - 1: numbers of 32 bits count as the sum of their halves.
        total = self._sum + ends_sum + seq + ack + bits + window
        if self.stamped:
            total += (value + echo) * self._turn
        checksum = _ONES - (total % _ONES or _ONES)
        first, middle, rest = self._parts
        if self._identification is not None:
            number = next(self._identification) % _ONES + 1
            first = first[:4] + number.to_bytes(2, "big") + first[6:]
        else:
            # As Linux does, all packets of a connection have one label (RFC 6437 section 3).
            label = flow_label(ends_sum)
            first = (int.from_bytes(first[:4], "big") | label).to_bytes(4, "big") + first[4:]
        if not self.stamped:
            return self._pack(first, ends, seq, ack, bits, window, checksum, middle, rest)
        return self._pack_stamped(
            first, ends, seq, ack, bits, window, checksum, middle, value, echo, rest
        )

    def filled(self, segment: Segment) -> bytes:
        """Return the packet of this segment, which is of the same shape."""
        ends = segment.source.address.packed + segment.destination.address.packed
        ends += _PORTS.pack(segment.source.port, segment.destination.port)
        stamps = (segment.options.timestamps or ()) if self.stamped else ()
        return self.fill(
            ends,
            words_sum(ends),
            int(segment.seq),
            segment.ack_field,
            bits(segment),
            segment.window,
            *stamps,
        )


class Templates:
    """The templates that are in use: Scapy is asked once for each shape of a segment."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Template] = {}

    def of(self, segment: Segment, ttl: int = 64, tos: int = 0) -> Template:
        """Return the template of all segments that differ from this one in numbers alone.

        Raises ValueError where its options have no room.
        """
        raw, at = segment.options.raw, stamp_at(segment.options.raw)
        options = raw if at < 0 else raw[:at] + bytes(8) + raw[at + 8 :]
        version, offset = segment.source.version, segment.data_offset
        shape = (version, ttl, tos, offset, segment.urgent, options, segment.payload)
        found = self._known.get(shape)
        if found is None:
            if len(self._known) >= _SHAPES:
                self._known.clear()
            found = self._known[shape] = Template(segment, ttl, tos)
        return found

    def packet(self, segment: Segment, ttl: int = 64, tos: int = 0) -> bytes:
        """Return the octets of the segment's packet, IP header first."""
        return self.of(segment, ttl, tos).filled(segment)


def flow_label(ends_sum: int) -> int:
    """Return the flow label of a connection whose two ends have this `words_sum`."""
    return ends_sum * _SPREAD % (1 << _LABEL_BITS)


def bits(segment: Segment) -> int:
    """Return data offset, reserved bits and flags as the header has them, in one number."""
    return segment.data_offset << 12 | segment.reserved << 9 | int(segment.flags)


def words_sum(octets: bytes) -> int:
    """Return the sum of all 16-bit words, modulo 2**16 - 1 (RFC 1071)."""
    return int.from_bytes(octets + bytes(len(octets) % 2), "big") % _ONES


def stamp_at(options: bytes) -> int:
    """Return where the clocks of the timestamps option stand; -1 where there is not one of them.

    Options that are malformed before it, or that have it twice, have none that could be patched.
    """
    if options[:4] == _STAMP_ALONE and len(options) == 12:  # all but SYNs have it so
        return 4
    at, found = 0, -1
    while at < len(options):
        kind = options[at]
        if kind == Kind.END:
            break
        if kind == Kind.NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            return -1
        if kind == Kind.TIMESTAMPS:
            if length != 10 or found >= 0:
                return -1
            found = at + 2
        at += length
    return found
