"""Packet templates: built once by Scapy, then filled with the numbers of each segment."""

from __future__ import annotations

import secrets
import struct
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.packet import scapy_codec
from handshake.packet.checksum import words_sum
from handshake.tcp.option_kinds import Kind
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.tcp import Segment

_HEADER: Final = {4: 20, 6: 40}
"""Octets of the IP header, by its version."""

_ADDRESSES: Final = {4: 12, 6: 8}
"""The offset of the addresses: the ports directly follow them."""

_LABEL_BITS: Final = 20
_SPREAD: Final = 0x9E37
"""An odd multiplier, so that different sums have different labels."""

_ONES: Final = 0xFFFF
_PORTS: Final = struct.Struct("!HH")
_STAMP_ALONE: Final = bytes((Kind.NOP, Kind.NOP, Kind.TIMESTAMPS, 10))
_MSS: Final = bytes((Kind.MSS, 4))
_STAMP_THIRD: Final = bytes((Kind.SACK_PERMITTED, 2, Kind.TIMESTAMPS, 10))
_SCALE_LAST: Final = bytes((Kind.NOP, Kind.WINDOW_SCALE, 3))

_SHAPES: Final = 256
"""Templates kept: options that always differ must not exhaust memory."""


Filler: TypeAlias = "Callable[[bytes, int, int, int, int, int], bytes]"
"""Returns a packet with its TCP checksum; the kernel fills in that of the IPv4 header.

Takes both addresses and both ports, and their `words_sum`; sequence and ACK number; the value and
the echo of the timestamps, which count only if the template is `stamped`.
"""


class Template:
    """A packet in which addresses, ports, numbers, flags and timestamps can be replaced."""

    def __init__(self, segment: Segment, ttl: int = 64, tos: int = 0) -> None:
        packet = scapy_codec.packet(segment, ttl, tos)
        version = segment.source.version
        if version == 4:
            packet.flags = "DF"  # as Linux does, for path MTU discovery (RFC 1191)
            packet.chksum = 0  # for the kernel to fill in
        octets = bytes(packet)
        begin, tcp = _ADDRESSES[version], _HEADER[version]
        stamp = stamp_at(segment.options.raw)
        clocks = len(octets) if stamp < 0 else tcp + 20 + stamp
        self._middle, self._rest = octets[tcp + 18 : clocks], octets[clocks + 8 :]
        # In the third half word IPv6 has the length, and IPv4 the identification.
        self._head, self._tail = octets[:4], octets[6:begin]
        self._length = int.from_bytes(octets[4:6], "big")
        # Unfragmented packets need none (RFC 6864 section 4.1), but Linux sets it.
        self._identification = count(secrets.randbits(16)) if version == 4 else None
        numbers = f"II{len(self._rest)}s" if stamp >= 0 else ""
        form = f"!4sH{begin - 6}s{tcp + 4 - begin}sIIHHH{len(self._middle)}s{numbers}"
        self._pack = struct.Struct(form).pack
        self.stamped = stamp >= 0
        """Whether it has timestamps to replace."""

        # A number at an odd offset counts with its octets swapped (RFC 1071).
        self._turn = 256 if stamp % 2 else 1
        fixed = bytes(18) + octets[tcp + 18 : clocks] + bytes(8 * self.stamped) + self._rest
        self._sum = TCP + len(octets) - tcp + words_sum(fixed)

    def filler(self, bits: int, window: int) -> Filler:
        """Return what fills in the rest: `bits` are data offset, reserved bits and flags.

        A connection needs it four times: a function of its own has at hand what is the same.
        """
        pack, fixed, turn = self._pack, self._sum + bits + window, self._turn
        first, length, tail = self._head, self._length, self._tail
        middle, rest = self._middle, self._rest
        stamped, identification = self.stamped, self._identification

        def fill(ends: bytes, ends_sum: int, seq: int, ack: int, value: int, echo: int) -> bytes:
            # 2**16 is 1 modulo 2**16 - 1: a 32-bit number counts as the sum of its halves.
            total = fixed + ends_sum + seq + ack
            head, third = first, length
            if identification is not None:
                third = next(identification) % 0xFFFF + 1
            else:
                # As in Linux, all packets of a connection have one label (RFC 6437 section 3).
                head = (int.from_bytes(head, "big") | flow_label(ends_sum)).to_bytes(4, "big")
            if not stamped:
                checksum = -total % _ONES  # as `complement`, which would be one more call
                return pack(head, third, tail, ends, seq, ack, bits, window, checksum, middle)
            checksum = -(total + (value + echo) * turn) % _ONES
            return pack(
                head,
                third,
                tail,
                ends,
                seq,
                ack,
                bits,
                window,
                checksum,
                middle,
                value,
                echo,
                rest,
            )

        return fill

    def filled(self, segment: Segment) -> bytes:
        """Return the packet of this segment, which must have the same shape."""
        ends = segment.source.address.packed + segment.destination.address.packed
        ends += _PORTS.pack(segment.source.port, segment.destination.port)
        value, echo = (segment.options.timestamps if self.stamped else None) or (0, 0)
        fill = self.filler(bits(segment), segment.window)
        return fill(ends, words_sum(ends), int(segment.seq), segment.ack_field, value, echo)


class Templates:
    """The templates in use: Scapy builds one for each shape of a segment."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Template] = {}

    def of(self, segment: Segment, ttl: int = 64, tos: int = 0) -> Template:
        """Return the template for all segments that differ from this one only in numbers.

        Raises ValueError if its options do not fit into a header.
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
    """Return the flow label of a connection whose ends have this `words_sum`."""
    return ends_sum * _SPREAD % (1 << _LABEL_BITS)


def bits(segment: Segment) -> int:
    """Return data offset, reserved bits and flags as in the header, in one number."""
    return segment.data_offset << 12 | segment.reserved << 9 | int(segment.flags)


def stamp_at(options: bytes) -> int:
    """Return the offset of the values in the timestamps option; -1 if they cannot be replaced.

    That is so if there is no such option, there are two, or the options before it are malformed.
    """
    if options[:4] == _STAMP_ALONE and len(options) == 12:  # all segments but SYNs
        return 4
    if (  # the SYNs of Linux
        options[4:8] == _STAMP_THIRD
        and options[:2] == _MSS
        and options[16:19] == _SCALE_LAST
        and len(options) == 20
    ):
        return 8
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
