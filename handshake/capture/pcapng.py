"""Reads pcapng files: sections, their interfaces, and packets in blocks of three types."""

from __future__ import annotations

import struct
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from handshake.capture.checkpoints import FIRST, Checkpoint, Checkpoints, frames_of
from handshake.capture.sink import MUCH
from handshake.errors import CaptureError
from handshake.packet.frame import MAX_CAPTURED, Frame
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.checkpoints import Spans
    from handshake.capture.columns import Chunk, InterfaceClock
    from handshake.capture.reader import Reader
    from handshake.capture.sink import FrameSink

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
"""The type of a section header block, the same in both byte orders."""

_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}

_INTERFACE: Final = 1
_PACKET: Final = 2  # obsolete, but present in old files
_SIMPLE_PACKET: Final = 3
_ENHANCED_PACKET: Final = 6

_OTHER_RECORDS: Final = frozenset((9, 0x204, 0x216, 0x221, 0xBAD, 0x40000BAD))
"""Journal entries, system calls, custom blocks: not packets, but Wireshark numbers them."""

_READ: Final = (_INTERFACE, _PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET)

_MAX_BLOCK: Final = 16 << 20
"""The longest block that is read into memory; blocks that are skipped may be longer."""

_TSRESOL: Final = 9
_TSOFFSET: Final = 14

_TIMES: Final = 1 << 63
"""The range of nanoseconds in a signed 64-bit integer."""


class _Interface(NamedTuple):
    link_type: int
    snap_length: int
    per_second: int = 1_000_000
    """Time stamp units per second (if_tsresol)."""

    seconds: int = 0
    """The offset of each time stamp (if_tsoffset)."""

    def nanoseconds(self, high: int, low: int) -> int:
        """Return a time stamp as nanoseconds since 1970; 0 if it is out of range."""
        ticks = (high << 32) | low
        time = ticks * NS_PER_SECOND // self.per_second + self.seconds * NS_PER_SECOND
        # 64 bits last until 2262: later times are damage, and not representable.
        return time if -_TIMES <= time < _TIMES else 0

    def clock(self) -> InterfaceClock | None:
        """Return the same in columns; None if its units are no whole nanoseconds."""
        from handshake.capture.columns import InterfaceClock

        if NS_PER_SECOND % self.per_second or not -_TIMES <= self.seconds < _TIMES:
            return None
        return InterfaceClock(self.link_type, NS_PER_SECOND // self.per_second, self.seconds)


def frames(
    stream: Reader,
    warnings: list[CaptureError],
    sink: FrameSink | None = None,
    checkpoints: Checkpoints | None = None,
    spans: Spans | None = None,
) -> Iterator[Frame]:
    """Return the frames of a pcapng stream. Raises CaptureError for a bad section header.

    `sink` may take frames in columns, which are then not yielded. `checkpoints` are added; with
    `spans` only their frames are read.
    """
    head = stream.peek(12)
    if len(head) < 12:
        raise CaptureError("capture.block-truncated")
    if bytes(head[8:]) not in _ORDERS:
        raise CaptureError("capture.no-section")
    walk = partial(_walk, stream, warnings, sink, checkpoints or Checkpoints())
    return walk(FIRST) if spans is None else frames_of(stream, spans, walk)


def _walk(
    stream: Reader,
    warnings: list[CaptureError],
    sink: FrameSink | None,
    checkpoints: Checkpoints,
    begin: Checkpoint,
) -> Iterator[Frame]:
    order, known = cast("tuple[str, tuple[_Interface, ...]]", begin.known or ("<", ()))
    interfaces, number, walked = list(known), begin.number - 1, 0
    while head := stream.peek(12):
        start = stream.offset
        if start >= checkpoints.due:
            checkpoints.add(Checkpoint(number + 1, start, (order, tuple(interfaces))))
        if sink is not None and start >= walked and len(ready := stream.ready()) >= MUCH:
            chunk, end = _chunk(ready, start, number + 1, order, interfaces, checkpoints)
            walked = start + end
            if chunk is not None:
                stream.take(end)
                number += len(chunk.begins)
                for part, frame in chunk.parts():
                    sink.take(part)
                    yield frame
                continue
        if bytes(head[:4]) == MAGIC and len(head) == 12:
            order = _ORDERS.get(bytes(head[8:]), "")
            interfaces = []
        try:
            block = _block(stream, order, head)
            if block is None:
                warnings.append(stream.truncated(start))
                return
            layout, body = block
            if layout == _INTERFACE:
                interfaces.append(_interface(order, body))
            elif layout in _OTHER_RECORDS:
                number += 1
            elif layout in _READ:
                number += 1
                yield _frame(layout, order, body, interfaces, number, start + 8)
        except CaptureError as error:
            error.values["offset"] = start
            warnings.append(error)
            return
    if stream.broken:
        warnings.append(stream.truncated(stream.offset))


def _chunk(
    ready: memoryview,
    offset: int,
    number: int,
    order: str,
    interfaces: list[_Interface],
    checkpoints: Checkpoints,
) -> tuple[Chunk | None, int]:
    """Return the packets with which these octets begin, if they are many, and their end."""
    from handshake.capture import columns, record_formats

    clocks = [each.clock() for each in interfaces]
    places, end = record_formats.pcapng_blocks(ready, order, clocks)
    if len(places) < columns.FEWEST:
        return None, end
    chunk = columns.pcapng_chunk(ready, offset, number, places, order, clocks)
    if chunk is not None:
        known = order, tuple(interfaces)
        columns.add_checkpoints(checkpoints, places, offset, number, known)
    return chunk, end


def _block(stream: Reader, order: str, head: memoryview) -> tuple[int, memoryview] | None:
    """Take one block: its type and its body, which is empty for types that are not read."""
    if len(head) < 12:
        return None
    if not order:
        raise _corrupt("byte-order")
    layout, length = struct.unpack(order + "II", head[:8])
    if length < 12:
        raise _corrupt("block-length", length=length)
    padded = length + -length % 4  # some writers omit the padding from the length
    if layout not in _READ:
        # Its closing length is read anyway: it tells damage from an unknown type.
        if not stream.skip(padded - 4) or (end := stream.take(4)) is None:
            return None
        body = end[:0]
    else:
        if length > _MAX_BLOCK:
            raise _corrupt("block-length", length=length)
        whole = stream.take(padded)
        if whole is None:
            return None
        body, end = whole[8:-4], whole[-4:]
    if struct.unpack(order + "I", end)[0] != length:
        raise _corrupt("lengths")
    return layout, body


def _interface(order: str, body: memoryview) -> _Interface:
    if len(body) < 8:
        raise _corrupt("interface-block")
    link_type, snap_length = struct.unpack_from(order + "H2xI", body)
    per_second, seconds = 1_000_000, 0
    at = 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == 0 or len(value) < size:
            break
        if code == _TSRESOL and size == 1:
            base = 2 if value[0] & 0x80 else 10
            per_second = int(base ** (value[0] & 0x7F))
        elif code == _TSOFFSET and size == 8:
            (seconds,) = struct.unpack(order + "q", value)
        at += 4 + size + -size % 4
    return _Interface(link_type, snap_length, per_second, seconds)


def _frame(
    layout: int,
    order: str,
    body: memoryview,
    interfaces: list[_Interface],
    number: int,
    offset: int,
) -> Frame:
    fixed = 4 if layout == _SIMPLE_PACKET else 20
    if len(body) < fixed:
        raise _corrupt("packet-block", packet=number)
    which = high = low = 0
    if layout == _ENHANCED_PACKET:
        which, high, low, captured, length = struct.unpack_from(order + "IIIII", body)
    elif layout == _PACKET:
        which, high, low, captured, length = struct.unpack_from(order + "H2xIIII", body)
    else:
        (length,) = struct.unpack_from(order + "I", body)
        captured = length
    if which >= len(interfaces):
        raise _corrupt("interface", packet=number, interface=which)
    interface = interfaces[which]
    if layout == _SIMPLE_PACKET:
        # It has no time stamp and no captured length: the interface's snap length limits it.
        time = 0
        if interface.snap_length:
            captured = min(length, interface.snap_length)
    else:
        time = interface.nanoseconds(high, low)
    if captured > min(len(body) - fixed, MAX_CAPTURED):
        raise _corrupt("packet-length", packet=number, captured=captured)
    data = body[fixed : fixed + captured]
    return Frame(number, time, which, interface.link_type, length, data, offset + fixed)


def _corrupt(what: str, **values: object) -> CaptureError:
    return CaptureError(f"capture.corrupt.{what}", **values)
