"""The pcap container: a file header, then a record for each packet."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import CaptureError
from handshake.packet import packed_frames
from handshake.packet.frame import MAX_CAPTURED, Frame
from handshake.packet.ip import TCP
from handshake.units import NS_PER_SECOND, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.reader import Reader
    from handshake.packet.packed_frames import Taken

HEADER_OCTETS: Final = 24

_ETHERNET: Final = 1
_LINK_TYPE_BITS: Final = 0x03FFFFFF
"""The rest of the field says whether frames end in a check sequence."""


class _Dialect(NamedTuple):
    order: str
    nanoseconds: int
    """In one unit of the time stamp's fraction."""

    extra: int = 0
    """Octets of a record header beyond the four numbers."""


MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": _Dialect("<", 1000),
    b"\xa1\xb2\xc3\xd4": _Dialect(">", 1000),
    b"\x4d\x3c\xb2\xa1": _Dialect("<", 1),
    b"\xa1\xb2\x3c\x4d": _Dialect(">", 1),
    # An old patch to libpcap put interface, protocol and direction into each record.
    b"\x34\xcd\xb2\xa1": _Dialect("<", 1000, extra=8),
    b"\xa1\xb2\xcd\x34": _Dialect(">", 1000, extra=8),
}
"""The first four octets, and what they say of the rest."""


def frames(stream: Reader, warnings: list[str], taken: Taken | None = None) -> Iterator[Frame]:
    """Return the frames of a pcap stream. Raises CaptureError where its header is no good.

    Plain frames between ends that `taken` has are put there instead.
    """
    header = stream.take(HEADER_OCTETS)
    if header is None:
        raise CaptureError("it is cut off inside the file header: capture it again")
    dialect = MAGICS[bytes(header[:4])]
    major, minor = struct.unpack_from(dialect.order + "HH", header, 4)
    (link,) = struct.unpack_from(dialect.order + "I", header, 20)
    if (major, minor) != (543, 0) and major != 2:
        raise CaptureError(
            f"it is a pcap file of version {major}.{minor}, and only version 2 is known: "
            "convert it with editcap"
        )
    # libpcap wrote the two lengths the other way round until 2.3, some writers in 2.3 still;
    # 543.0 is DG/UX tcpdump, which never stopped.
    swapped = (major, minor) == (543, 0) or minor < 3
    link &= _LINK_TYPE_BITS
    return _walk(stream, warnings, taken, dialect, link, swapped, minor == 3)


def _walk(
    stream: Reader,
    warnings: list[str],
    taken: Taken | None,
    dialect: _Dialect,
    link_type: int,
    swapped: bool,
    unsure: bool,
) -> Iterator[Frame]:
    record = struct.Struct(f"{dialect.order}IIII{dialect.extra}x")
    unpack, size, nanoseconds = record.unpack_from, record.size, dialect.nanoseconds
    new = tuple.__new__  # a captured million: NamedTuple's own takes twice as long
    sieve = packed_frames.FrameFilter(record.format, dialect.order)
    sift, whole, pack, most = (
        sieve.unpack,
        sieve.octets,
        packed_frames.V4.record.pack,
        packed_frames.V4.octets,
    )
    ipv4, fragmented, seldom = sieve.ipv4, sieve.fragmented, packed_frames.SELDOM
    place_of = None if taken is None or link_type != _ETHERNET else taken.get
    number = 0
    while True:
        # Those that are whole in what is at hand need no more than their octets looked at.
        ready, offset, at = stream.ready(), stream.offset, 0
        octets = bytes(ready)
        while at + size <= len(octets):
            if place_of is not None and at + whole <= len(octets):
                # fmt: off
                (seconds, fraction, captured, length,
                 layout, first, part, protocol, key, flags) = sift(octets, at)
                # fmt: on
                place = place_of(key)
            else:
                seconds, fraction, captured, length = unpack(octets, at)
                place = None
            if swapped or (unsure and captured > length):
                captured, length = length, captured
            begin = at + size
            end = begin + captured
            if end > len(octets) or captured > MAX_CAPTURED:
                break
            at = end
            number += 1
            time = seconds * NS_PER_SECOND + fraction * nanoseconds
            if (
                place is not None
                and layout == ipv4
                and first == 0x45
                and protocol == TCP
                and not (part & fragmented or flags & SYN_BIT)
                and packed_frames.PLAIN_OCTETS <= captured <= most
                and number & seldom
            ):
                place += pack(time, number, length, captured << 2, octets[begin:end])
                continue
            yield new(
                Frame,
                (number, time, 0, link_type, length, ready[begin:end], offset + begin),
            )
        if at:
            stream.take(at)
            continue
        head = stream.take(size)
        if head is None:
            break
        number += 1
        seconds, fraction, captured, length = unpack(head)
        if swapped or (unsure and captured > length):
            captured, length = length, captured
        if captured > MAX_CAPTURED:
            warnings.append(
                f"corrupt at offset {stream.offset - size}: packet {number} claims "
                f"{captured} octets, so it and what follows are left out"
            )
            return
        offset = stream.offset
        data = stream.take(captured)
        if data is None:
            warnings.append(stream.cut_off(offset - size, f"packet {number}"))
            return
        time = seconds * NS_PER_SECOND + fraction * nanoseconds
        yield Frame(number, time, 0, link_type, length, data, offset)
    if stream.broken or len(stream.peek(1)):
        warnings.append(stream.cut_off(stream.offset, f"packet {number + 1}"))
