"""Reads snoop files of Solaris (RFC 1761): a file header, then a record per packet."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Final

from handshake.capture.checkpoints import FIRST, Checkpoint, Checkpoints, frames_of
from handshake.errors import CaptureError
from handshake.packet.frame import MAX_CAPTURED, Frame
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.checkpoints import Spans
    from handshake.capture.reader import Reader

MAGIC: Final = b"snoop\0\0\0"
"""The first octets of the file."""

_VERSION: Final = 2
_HEADER_OCTETS: Final = 16
_RECORD: Final = struct.Struct(">IIIIII")

_LINK_TYPES: Final = {0: 1, 2: 6, 4: 1, 8: 10}
"""pcap link types by snoop's datalink numbers: Ethernet twice, Token Ring, FDDI."""


def frames(
    stream: Reader,
    warnings: list[CaptureError],
    checkpoints: Checkpoints | None = None,
    spans: Spans | None = None,
) -> Iterator[Frame]:
    """Return the frames of a snoop stream. Raises CaptureError for a bad file header.

    `checkpoints` are added; with `spans` only their frames are read.
    """
    header = stream.take(_HEADER_OCTETS)
    if header is None:
        raise CaptureError("capture.header-truncated")
    version, link = struct.unpack_from(">II", header, len(MAGIC))
    if version != _VERSION:
        raise CaptureError("capture.version", format="snoop", version=version)
    if link not in _LINK_TYPES:
        raise CaptureError("capture.snoop-link", link_type=link)
    walk = partial(_walk, stream, warnings, checkpoints or Checkpoints(), _LINK_TYPES[link])
    return walk(FIRST) if spans is None else frames_of(stream, spans, walk)


def _walk(
    stream: Reader,
    warnings: list[CaptureError],
    checkpoints: Checkpoints,
    link_type: int,
    begin: Checkpoint,
) -> Iterator[Frame]:
    number = begin.number - 1
    while (head := stream.take(_RECORD.size)) is not None:
        number += 1
        start = stream.offset - _RECORD.size
        if start >= checkpoints.due:
            checkpoints.add(Checkpoint(number, start))
        length, captured, size, _, seconds, microseconds = _RECORD.unpack(head)
        padding = size - _RECORD.size - captured
        if captured > MAX_CAPTURED or not 0 <= padding <= MAX_CAPTURED:
            values = {"offset": start, "packet": number, "captured": captured, "size": size}
            warnings.append(CaptureError("capture.corrupt.record-length", **values))
            return
        data = stream.take(captured)
        if data is None:
            warnings.append(stream.truncated(start, number))
            return
        time = seconds * NS_PER_SECOND + microseconds * 1000
        yield Frame(number, time, 0, link_type, length, data, start + _RECORD.size)
        if not stream.skip(padding):
            warnings.append(stream.truncated(start, number))
            return
    if stream.broken or len(stream.peek(1)):
        warnings.append(stream.truncated(stream.offset, number + 1))
