"""Reads pcap files: a file header, then a record per packet."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.capture.checkpoints import FIRST, Checkpoint, Checkpoints, frames_of
from handshake.capture.sink import MUCH, SELDOM
from handshake.errors import CaptureError
from handshake.packet import packed_frames
from handshake.packet.frame import MAX_CAPTURED, Frame
from handshake.packet.layer import IPV4
from handshake.units import NS_PER_SECOND, SYN_BIT, TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.checkpoints import Spans
    from handshake.capture.reader import Reader
    from handshake.capture.sink import FrameSink

HEADER_OCTETS: Final = 24

_ETHERNET: Final = 1
_ZEROS: Final = 4096
"""So many zeros are no packets, but a file that was not written to its end, or made to tire us."""

_LINK_TYPE_BITS: Final = 0x03FFFFFF
"""The rest of the field tells whether frames end in a frame check sequence."""


class _Dialect(NamedTuple):
    order: str
    nanoseconds: int
    """The unit of the time stamp's fraction."""

    extra: int = 0
    """Octets of a record header beyond the four numbers."""


class _Headers:
    """Unpacks a record header and the headers of a plain IPv4 frame in one step.

    For speed, the headers are unpacked in the file's byte order: so are these numbers.
    """

    def __init__(self, record: str, order: str) -> None:
        fields = struct.Struct(f"{record}12xHB5xHxB2x12s9xB")
        self.unpack, self.octets = fields.unpack_from, fields.size
        (self.ipv4,) = struct.unpack(f"{order}H", IPV4.to_bytes(2, "big"))
        (self.fragmented,) = struct.unpack(f"{order}H", b"\x3f\xff")


MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": _Dialect("<", 1000),
    b"\xa1\xb2\xc3\xd4": _Dialect(">", 1000),
    b"\x4d\x3c\xb2\xa1": _Dialect("<", 1),
    b"\xa1\xb2\x3c\x4d": _Dialect(">", 1),
    # A variant from an old libpcap patch: interface, protocol and direction in each record.
    b"\x34\xcd\xb2\xa1": _Dialect("<", 1000, extra=8),
    b"\xa1\xb2\xcd\x34": _Dialect(">", 1000, extra=8),
}
"""The dialects by their first four octets."""


def frames(
    stream: Reader,
    warnings: list[CaptureError],
    sink: FrameSink | None = None,
    checkpoints: Checkpoints | None = None,
    spans: Spans | None = None,
) -> Iterator[Frame]:
    """Return the frames of a pcap stream. Raises CaptureError for a bad file header.

    `sink` may take plain frames, which are then not yielded. `checkpoints` are added; with `spans`
    only their frames are read.
    """
    header = stream.take(HEADER_OCTETS)
    if header is None:
        raise CaptureError("capture.header-truncated")
    dialect = MAGICS[bytes(header[:4])]
    major, minor = struct.unpack_from(dialect.order + "HH", header, 4)
    (link,) = struct.unpack_from(dialect.order + "I", header, 20)
    if (major, minor) != (543, 0) and major != 2:
        raise CaptureError("capture.version", format="pcap", version=f"{major}.{minor}")
    # libpcap before 2.3 swapped the two lengths, some writers of 2.3 still did, and DG/UX tcpdump
    # (543.0) always does.
    swapped = (major, minor) == (543, 0) or minor < 3
    link &= _LINK_TYPE_BITS
    checkpoints = checkpoints or Checkpoints()
    walk = partial(_walk, stream, warnings, sink, checkpoints, dialect, link, swapped, minor == 3)
    return walk(FIRST) if spans is None else frames_of(stream, spans, walk)


def _walk(
    stream: Reader,
    warnings: list[CaptureError],
    sink: FrameSink | None,
    checkpoints: Checkpoints,
    dialect: _Dialect,
    link_type: int,
    swapped: bool,
    unsure: bool,
    begin_at: Checkpoint,
) -> Iterator[Frame]:
    record = struct.Struct(f"{dialect.order}IIII{dialect.extra}x")
    unpack, size, nanoseconds = record.unpack_from, record.size, dialect.nanoseconds
    new = tuple.__new__  # for speed: NamedTuple's own takes twice as long
    headers = _Headers(record.format, dialect.order)
    unpack_headers, whole, pack, most = (
        headers.unpack,
        headers.octets,
        packed_frames.V4.record.pack,
        packed_frames.V4.octets,
    )
    ipv4, fragmented, seldom = headers.ipv4, headers.fragmented, SELDOM
    buffer_of = None if sink is None or link_type != _ETHERNET else sink.buffer
    in_columns = sink is not None and not (swapped or unsure or dialect.extra)
    number, walked = begin_at.number - 1, 0
    while True:
        # The fast path: records that are complete in the buffer.
        ready, offset, at = stream.ready(), stream.offset, 0
        if offset >= checkpoints.due:
            checkpoints.add(Checkpoint(number + 1, offset))
        if in_columns and len(ready) >= MUCH and offset >= walked:
            from handshake.capture import columns, record_formats

            places, end = record_formats.pcap_records(ready, dialect.order)
            walked = offset + end
            if len(places) >= columns.FEWEST:
                assert sink is not None
                # fmt: off
                chunk = columns.pcap_chunk(
                    ready, offset, number + 1, places, dialect.order, nanoseconds, link_type)
                # fmt: on
                columns.add_checkpoints(checkpoints, places, offset, number + 1)
                stream.take(end)
                number += len(places)
                for part, frame in chunk.parts():
                    sink.take(part)
                    yield frame
                continue
        octets = bytes(ready)
        while at + size <= len(octets):
            if buffer_of is not None and at + whole <= len(octets):
                # fmt: off
                (seconds, fraction, captured, length,
                 layout, first, part, protocol, key, flags) = unpack_headers(octets, at)
                # fmt: on
                buffer = buffer_of(key)
            else:
                seconds, fraction, captured, length = unpack(octets, at)
                buffer = None
            if swapped or (unsure and captured > length):
                captured, length = length, captured
            begin = at + size
            end = begin + captured
            if end > len(octets) or captured > MAX_CAPTURED or not length:
                break
            at = end
            number += 1
            time = seconds * NS_PER_SECOND + fraction * nanoseconds
            if (
                buffer is not None
                and layout == ipv4
                and first == 0x45
                and protocol == TCP
                and not (part & fragmented or flags & SYN_BIT)
                and packed_frames.PLAIN_OCTETS <= captured <= most
                and number & seldom
            ):
                buffer += pack(time, number, length, captured << 2, octets[begin:end])
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
            values = {"offset": stream.offset - size, "packet": number, "captured": captured}
            warnings.append(CaptureError("capture.corrupt.packet-length", **values))
            return
        if not any(head) and stream.peek(_ZEROS) == bytes(_ZEROS):
            values = {"offset": stream.offset - size, "packet": number}
            warnings.append(CaptureError("capture.corrupt.zeros", **values))
            return
        offset = stream.offset
        data = stream.take(captured)
        if data is None:
            warnings.append(stream.truncated(offset - size, number))
            return
        time = seconds * NS_PER_SECOND + fraction * nanoseconds
        yield Frame(number, time, 0, link_type, length, data, offset)
    if stream.broken or len(stream.peek(1)):
        warnings.append(stream.truncated(stream.offset, number + 1))
