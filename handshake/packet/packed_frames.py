"""Packs plain frames into a few octets each, from which they can be decoded again."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.checksum import segment_ok
from handshake.packet.decode import endpoint, observed_as
from handshake.packet.decode import observed as observe
from handshake.packet.frame import Frame
from handshake.packet.layer import IPV4, IPV6
from handshake.tcp import Observed, Segment
from handshake.tcp.copy import changed
from handshake.tcp.segment import WRONG_UDP
from handshake.units import SYN_BIT, TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.packet.decode import Decoder
    from handshake.packet.layer_parser import Fields
    from handshake.tcp import Endpoint

ETHERNET: Final = 1
PLAIN_V6_OCTETS: Final = 74
_PLAIN_V6: Final = struct.Struct("!18xHBx36s8xH").unpack_from
_TOTAL: Final = struct.Struct("!H").unpack_from
_MIN_HEADER: Final = 20
_MIN_V6: Final = 40
_LATEST: Final = 1 << 64
_V4_ADDRESS: Final = 4
_LINK_V4: Final = bytes(12) + IPV4.to_bytes(2, "big")
_LINK_V6: Final = bytes(12) + IPV6.to_bytes(2, "big")
HEAD: Final = 20
"""Octets of a record before those of the frame."""

TIMESTAMPS: Final = 0x0101080A
"""The first four octets of options that are timestamps alone, as nearly all senders pad them."""

_PACKED: Final = struct.Struct(">I").unpack_from
_RIGHT: Final = 1
WRONG: Final = 2


class FrameLayout(NamedTuple):
    """The layout of a packed frame: Ethernet, IPv4 or IPv6 without options, TCP."""

    record: struct.Struct
    """Time, number, length, `captured << 2 | checksum`, and the frame's first octets."""

    ip: int
    """The offset of the IP header in the frame."""

    addresses: int
    """The offset of the addresses."""

    tcp: int
    """The offset of the TCP header."""

    counted: int
    """Octets of the IP header that its length field includes."""

    fields: struct.Struct
    """A record, unpacked into the fields that `survey.across.learn` needs."""

    segment: struct.Struct
    """The same into those that `survey.follow.runs` needs: two more words before TTL and addresses
    (the total length and the identification of IPv4; of IPv6 part of the flow label, and the
    length), and checksum, urgent pointer, and a third word of options after the window."""

    @property
    def octets(self) -> int:
        """How many octets of a frame are stored."""
        return self.record.size - HEAD


V4: Final = FrameLayout(
    record=struct.Struct(">QIII96s"),
    ip=14,
    addresses=26,
    tcp=34,
    counted=20,
    # total, TTL, addresses and ports, SEQ, ACK, bits, window, two options
    fields=struct.Struct(">QIII16xH4xBx2x12sIIHH4xII34x"),
    segment=struct.Struct(">QIII16xHH2xBx2x12sIIHHHHIII30x"),
)
V6: Final = FrameLayout(
    record=struct.Struct(">QIII120s"),
    ip=14,
    addresses=22,
    tcp=54,
    counted=0,
    fields=struct.Struct(">QIII18xHxB36sIIHH4xII38x"),
    segment=struct.Struct(">QIII16xHHxB36sIIHHHHIII34x"),
)


def plain(frame: Frame) -> tuple[FrameLayout, bytes, int, int] | None:
    """Return a frame's layout, addresses and ports, the end of its segment, and offset and bits.

    None if it is not plain. `capture.pcap` has an inlined version for most frames.
    """
    _, at, _, link_type, length, data, _ = frame
    if link_type != ETHERNET or len(data) < PLAIN_OCTETS or not 0 <= at < _LATEST:
        return None
    link, first, total, part, protocol, key, bits = PLAIN(data)
    header = bits >> 10 & 60
    if link == IPV4 and first == 0x45 and protocol == TCP and not part & 0x3FFF:
        whole = _MIN_HEADER <= header <= total - 20 <= length - V4.tcp
        return (V4, key, V4.tcp - 20 + total, bits) if whole else None
    if link != IPV6 or len(data) < PLAIN_V6_OCTETS:
        return None
    total, protocol, key, bits = _PLAIN_V6(data)
    header = bits >> 10 & 60
    whole = _MIN_HEADER <= header <= total <= length - V6.tcp and V6.tcp + header <= V6.octets
    return (
        (V6, key, V6.tcp + total, bits)
        if protocol == TCP and whole and data[14] >> 4 == 6
        else None
    )


class Framing(NamedTuple):
    """How the IP packet of a frame came, where that is not plain Ethernet."""

    shift: int
    """By how many octets more its IP header lies behind the beginning of the frame."""

    via: tuple[str, ...]
    """The tunnels and tags it came through, as `Observed` has them."""


UNTAGGED: Final = Framing(0, ())
"""That of plain Ethernet."""


def unwrapped(frame: Frame, fields: Fields) -> tuple[Frame, Framing] | None:
    """Return a frame as if its IP packet had come in plain Ethernet, and how it came.

    None if its IP header has options, if it was put together of fragments, if it came in a damaged
    datagram, or is longer by its own header than what it came in.
    """
    source, (ip, tcp, end, whole, via) = fields[0], fields[11:16]
    four = len(source) == _V4_ADDRESS
    total = _TOTAL(frame.data, ip + 2)[0] if four else _MIN_V6 + _TOTAL(frame.data, ip + 4)[0]
    if (
        whole is not None
        or via[-1:] == (WRONG_UDP,)
        or tcp - ip != (V4 if four else V6).tcp - V4.ip
        or ip + total != end
    ):
        return None
    shift = ip - V4.ip
    data = (_LINK_V4 if four else _LINK_V6) + bytes(frame.data[ip:])
    as_if = Frame(
        frame.number,
        frame.time,
        frame.interface,
        ETHERNET,
        frame.length - shift,
        data,
        frame.offset,
    )
    return as_if, Framing(shift, via)


def pack(layout: FrameLayout, frame: Frame, end: int) -> bytes:
    """Return the record of a frame whose segment ends at `end` on the wire."""
    number, at, _, _, length, data, _ = frame
    captured = len(data)
    check = 0
    if captured > layout.octets:
        if captured >= end:
            covered = bytes(data[layout.addresses : end])
            check = _RIGHT if segment_ok(covered, end - layout.tcp) else WRONG
        data = data[: layout.octets]
    return layout.record.pack(at, number, length, captured << 2 | check, bytes(data))


PLAIN: Final = struct.Struct("!12xHBxH2xHxB2x12s8xH").unpack_from
PLAIN_OCTETS: Final = 54
"""The Ethernet, IPv4 and TCP headers of a frame: the fields that show whether it is plain."""


def sound(layout: FrameLayout, records: bytes | bytearray, base: int, length: int) -> bool:
    """Whether the record at `base` has a complete segment of this length, with a right checksum."""
    (packed,) = _PACKED(records, base + 16)
    begin, end = base + HEAD + layout.addresses, base + HEAD + layout.tcp + length
    return packed >> 2 >= layout.tcp + length and segment_ok(bytes(records[begin:end]), length)


def observed(
    layout: FrameLayout,
    records: bytes | bytearray,
    decoder: Decoder,
    framing: Framing = UNTAGGED,
) -> Iterator[Observed]:
    """Yield the packed frames as observed. Payload octets that were not stored are zero."""
    size, tcp, ip, kept, four = layout.record.size, layout.tcp, layout.ip, layout.octets, V4
    base, counted, unpack = 0, layout.counted, layout.segment.unpack_from
    shift, via = framing
    while base < len(records):
        # fmt: off
        (at, number, wire, packed, one, two, ttl, pair, _, _, bits, *_) = unpack(records, base)
        # fmt: on
        captured, check = packed >> 2, packed & 3
        length = (one if layout is four else two) - counted
        whole = tcp + length
        end = min(whole, captured)
        begin = base + HEAD
        # The lengths in the headers were not checked before.
        if (
            not _MIN_HEADER <= (bits >> 10 & 60) <= length
            or whole > wire
            or captured < tcp + _MIN_HEADER
        ):
            yield from _unusual(layout, bytes(records[base : base + size]), decoder, framing)
        else:
            right: bool | None = None
            if captured > kept:
                # What is not kept was verified when it was packed.
                right = None if not check else check == _RIGHT
            elif captured >= whole:
                covered = bytes(records[begin + layout.addresses : begin + whole])
                right = segment_ok(covered, length)
            packet = bytes(records[begin + ip : begin + min(kept, end)])
            if end > kept:
                packet = packet.ljust(end - ip, b"\0")
            ends = _ends(pair)
            source, destination = ends
            yield Observed(
                Segment.parse(
                    source.address, destination.address, packet[tcp - ip :], length, ends
                ),
                at,
                number,
                wire + shift,
                ttl,
                right,
                None,
                packet,
                via,
            )
        base += size


@lru_cache(65536)
def _ends(pair: bytes) -> tuple[Endpoint, Endpoint]:
    """Return source and destination of a packed frame with these addresses and ports."""
    half, source, destination = len(pair) // 2 - 2, pair[-4:-2], pair[-2:]
    return (
        endpoint(pair[:half], int.from_bytes(source, "big")),
        endpoint(pair[half:-4], int.from_bytes(destination, "big")),
    )


def _unusual(
    layout: FrameLayout, record: bytes, decoder: Decoder, framing: Framing
) -> Iterator[Observed]:
    """Yield the segment of a record whose lengths contradict each other, if there is one."""
    at, number, length, packed, octets = layout.record.unpack(record)
    captured, check = packed >> 2, packed & 3
    data = octets[:captured].ljust(captured, b"\0")
    frame = Frame(number, at, 0, ETHERNET, length, data, 0)
    fields = decoder.fields(frame)
    if not isinstance(fields, tuple):
        return
    if captured > layout.octets:
        right = None if not check else check == _RIGHT
        wire = length + framing.shift
        yield observed_as(frame, fields, wire, framing.via, checksum_ok=right)
        return
    found = observe(frame, fields)
    if framing is not UNTAGGED:
        found = changed(found, length=length + framing.shift, via=framing.via)
    yield found


def last_at(layout: FrameLayout, records: bytes | bytearray) -> int:
    """Return the time of the last record."""
    begin = len(records) - layout.record.size
    return int.from_bytes(records[begin : begin + 8], "big")


def last_number(layout: FrameLayout, records: bytes | bytearray) -> int:
    """Return the number of the last record's frame."""
    (number,) = struct.unpack_from(">I", records, len(records) - layout.record.size + 8)
    return int(number)


def is_again(layout: FrameLayout, records: bytes | bytearray, frame: Frame) -> bool:
    """Whether a SYN has the number of the first record, after nothing but SYNs and SYN-ACKs.

    Flags and options may differ: a sender may leave some out when it tries again.
    """
    first, last = memoryview(records)[HEAD:], len(records) - layout.record.size + HEAD
    begin, end = layout.addresses, layout.tcp + 8
    opens = records[last + layout.tcp + 13] & SYN_BIT
    return bool(opens) and first[begin:end] == frame.data[begin:end]
