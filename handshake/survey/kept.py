"""Frames of the plain kind, kept in few octets: enough to judge each, and to decode it again."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Observed
from handshake.wire.frame import Frame
from handshake.wire.ip import internet_checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.wire.decode import Decoder

_ETHERNET: Final = 1
HEAD: Final = 20
"""Octets of a record before those of the frame."""

_PACKED: Final = struct.Struct(">I").unpack_from
_RIGHT: Final = 1
WRONG: Final = 2


class Kind(NamedTuple):
    """One of the two kinds of frames that are kept: Ethernet, IP without extras, TCP."""

    record: struct.Struct
    """Time, number, length, `captured << 2 | checksum`, and the frame's first octets."""

    ip: int
    """Where in the frame the IP header begins."""

    addresses: int
    """Where the addresses begin."""

    tcp: int
    """Where the TCP header begins."""

    counted: int
    """Octets of the IP header that its length field counts."""

    fields: struct.Struct
    """A record once more: what `ordinary` looks at."""

    @property
    def octets(self) -> int:
        """How many octets of a frame are kept."""
        return self.record.size - HEAD


V4: Final = Kind(
    record=struct.Struct(">QIII96s"),
    ip=14,
    addresses=26,
    tcp=34,
    counted=20,
    # total, TTL, addresses and ports, SEQ, ACK, bits, window, two options
    fields=struct.Struct(">QIII16xH4xBx2x12sIIHH4xII34x"),
)
V6: Final = Kind(
    record=struct.Struct(">QIII120s"),
    ip=14,
    addresses=22,
    tcp=54,
    counted=0,
    fields=struct.Struct(">QIII18xHxB36sIIHH4xII38x"),
)


def pack(kind: Kind, frame: Frame, end: int) -> bytes:
    """Return the record of a frame whose segment ends at `end` on the wire."""
    number, at, _, _, length, data, _ = frame
    captured = len(data)
    check = 0
    if captured > kind.octets:
        if captured >= end:
            check = _RIGHT if _sums_up(data[kind.addresses : end], end - kind.tcp) else WRONG
        data = data[: kind.octets]
    return kind.record.pack(at, number, length, captured << 2 | check, bytes(data))


def _sums_up(octets: bytes | bytearray | memoryview, length: int) -> bool:
    """Whether a segment's checksum is right; the octets begin with the two addresses."""
    pseudo = length.to_bytes(4, "big") + b"\0\0\0\x06"
    return internet_checksum(pseudo + bytes(octets)) == 0


def sound(kind: Kind, records: bytes | bytearray, base: int, length: int) -> bool:
    """Whether a whole segment of this length was captured in the record at `base`, undamaged."""
    (packed,) = _PACKED(records, base + 16)
    begin, end = base + HEAD + kind.addresses, base + HEAD + kind.tcp + length
    return packed >> 2 >= kind.tcp + length and _sums_up(records[begin:end], length)


def observed(kind: Kind, records: bytes | bytearray, decoder: Decoder) -> Iterator[Observed]:
    """Yield what was kept as it was observed. Octets of payload that were not kept are zero."""
    for at, number, length, packed, octets in kind.record.iter_unpack(records):
        captured, check = packed >> 2, packed & 3
        data = octets[:captured].ljust(captured, b"\0")
        found = decoder.observed(Frame(number, at, 0, _ETHERNET, length, data, 0))
        # Only what the decoder reads in full was kept.
        assert isinstance(found, Observed)
        if captured > kind.octets:
            found = replace(found, checksum_ok=None if not check else check == _RIGHT)
        yield found


def last_at(kind: Kind, records: bytes | bytearray) -> int:
    """Return the time of the last record."""
    (at,) = struct.unpack_from(">Q", records, len(records) - kind.record.size)
    return int(at)


def seq(kind: Kind, octets: bytes | bytearray | memoryview) -> bytes:
    """Return the sequence number of a frame, as it has it."""
    return bytes(octets[kind.tcp + 4 : kind.tcp + 8])
