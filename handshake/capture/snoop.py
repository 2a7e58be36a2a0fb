"""The snoop container of Solaris (RFC 1761): a file header, then a record for each packet."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from handshake.errors import CaptureError
from handshake.packet.frame import MAX_CAPTURED, Frame
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.reader import Reader

MAGIC: Final = b"snoop\0\0\0"
"""What the file begins with."""

_VERSION: Final = 2
_HEADER_OCTETS: Final = 16
_RECORD: Final = struct.Struct(">IIIIII")

_LINK_TYPES: Final = {0: 1, 2: 6, 4: 1, 8: 10}
"""Its numbers of link layers, as those of pcap: Ethernet twice, Token Ring, FDDI."""


def frames(stream: Reader, warnings: list[str]) -> Iterator[Frame]:
    """Return the frames of a snoop stream. Raises CaptureError where its header is no good."""
    header = stream.take(_HEADER_OCTETS)
    if header is None:
        raise CaptureError("it is cut off inside the file header: capture it again")
    version, link = struct.unpack_from(">II", header, len(MAGIC))
    if version != _VERSION:
        raise CaptureError(
            f"it is a snoop file of version {version}, and only version 2 is known: "
            "convert it with editcap"
        )
    if link not in _LINK_TYPES:
        raise CaptureError(
            f"it is a snoop file of link type {link}, which is not read: convert it with editcap -T"
        )
    return _walk(stream, warnings, _LINK_TYPES[link])


def _walk(stream: Reader, warnings: list[str], link_type: int) -> Iterator[Frame]:
    number = 0
    while (head := stream.take(_RECORD.size)) is not None:
        number += 1
        start = stream.offset - _RECORD.size
        length, captured, size, _, seconds, microseconds = _RECORD.unpack(head)
        padding = size - _RECORD.size - captured
        if captured > MAX_CAPTURED or not 0 <= padding <= MAX_CAPTURED:
            warnings.append(
                f"corrupt at offset {start}: packet {number} claims {captured} octets "
                f"in a record of {size}, so it and what follows are left out"
            )
            return
        data = stream.take(captured)
        if data is None:
            warnings.append(stream.cut_off(start, f"packet {number}"))
            return
        time = seconds * NS_PER_SECOND + microseconds * 1000
        yield Frame(number, time, 0, link_type, length, data, start + _RECORD.size)
        if not stream.skip(padding):
            warnings.append(stream.cut_off(start, f"the record of packet {number}"))
            return
    if stream.broken or len(stream.peek(1)):
        warnings.append(stream.cut_off(stream.offset, f"packet {number + 1}"))
