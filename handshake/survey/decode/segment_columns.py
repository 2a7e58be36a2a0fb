"""The packed frames of many flows as columns: header fields, and what came before each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from handshake.packet.packed_frames import HEAD, V4, V6, WRONG
from handshake.survey.decode.decode_columns import words_sums
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.capture.columns import Column
    from handshake.packet.packed_frames import FrameLayout

_ONES: Final = 0xFFFF
_PAD: Final = 8
"""Octets after the last packed frame: sums look at the word after it."""

KINDS: Final = 5
RIGHT, UNKNOWN, ZERO, PARTIAL, DAMAGED = range(KINDS)
"""Kinds of checksums: `ZERO` is a partial one that is 0."""


def _fields(layout: FrameLayout) -> np.dtype[Any]:
    four, ip, tcp = layout is V4, HEAD + layout.ip, HEAD + layout.tcp
    found = {
        "at": (">u8", 0),
        "frame": (">u4", 8),
        "wire": (">u4", 12),
        "packed": (">u4", 16),
        "total": (">u2", ip + (2 if four else 4)),
        "ident": (">u2", ip + 4),
        "ttl": ("u1", ip + (8 if four else 7)),
        "ports": (">u4", tcp),
        "seq": (">u4", tcp + 4),
        "ack": (">u4", tcp + 8),
        "bits": (">u2", tcp + 12),
        "window": (">u2", tcp + 14),
        "checksum": (">u2", tcp + 16),
        "urgent": (">u2", tcp + 18),
        "option": (">u4", tcp + 20),
        "clock": (">u4", tcp + 24),
        "echo": (">u4", tcp + 28),
    }
    return np.dtype(
        {
            "names": list(found),
            "formats": [each for each, _ in found.values()],
            "offsets": [at for _, at in found.values()],
            "itemsize": layout.record.size,
        }
    )


_FIELDS: Final = {layout: _fields(layout) for layout in (V4, V6)}


class Segments(NamedTuple):
    """The segments of some flows, one flow after another; a column has an item for each segment.

    The first sender of each flow is 0, the other end 1.
    """

    layout: FrameLayout
    rows: Column
    """The records, a row of octets each."""

    starts: Column
    """The place of each flow's first segment."""

    counts: Column
    """How many segments each flow has."""

    flow: Column
    """The index of the flow of each segment."""

    me: Column
    """Which end sent each."""

    at: Column
    frame: Column
    wire: Column
    captured: Column
    ttl: Column
    ident: Column
    """The identification of the IPv4 header; of IPv6, its length."""

    seq: Column
    ack: Column
    bits: Column
    """Data offset, reserved and control bits."""

    window: Column
    urgent: Column
    option: Column
    clock: Column
    echo: Column
    header: Column
    """Octets of the TCP header."""

    payload: Column
    """Octets of payload by the IP header."""

    whole: Column
    """Whether the segment was captured whole."""

    sums: Column
    """The kind of its checksum."""

    before: tuple[Column, Column]
    """The place of the last segment before it of each end; -1 if there is none."""


def segments(layout: FrameLayout, flows: Sequence[bytes | bytearray]) -> Segments:
    """Return the packed frames of flows, which all have this layout, in columns."""
    counts = np.array([len(each) for each in flows]) // layout.record.size
    octets = np.frombuffer(b"".join((*flows, bytes(_PAD))), np.uint8)
    return _in_columns(layout, octets, counts)


def in_columns(layout: FrameLayout, rows: Column, counts: Column) -> Segments:
    """Return the packed frames of flows, a row for each, of which each flow has so many."""
    octets = np.zeros(rows.size + _PAD, np.uint8)
    octets[:-_PAD] = rows.reshape(-1)
    return _in_columns(layout, octets, counts)


def _in_columns(layout: FrameLayout, octets: Column, counts: Column) -> Segments:
    rows = octets[:-_PAD].reshape(-1, layout.record.size)
    fields = rows.reshape(-1).view(_FIELDS[layout])
    starts = np.cumsum(counts) - counts
    flow = np.repeat(np.arange(len(counts)), counts)

    def column(name: str) -> Column:
        return fields[name].astype(np.int64)

    bits, packed = column("bits"), column("packed")
    header = bits >> 10 & 60
    length = column("total") - layout.counted
    captured = packed >> 2
    whole = captured >= layout.tcp + length
    me = _senders(layout, rows, starts, flow)
    return Segments(
        layout=layout,
        rows=rows,
        starts=starts,
        counts=counts,
        flow=flow,
        me=me,
        at=column("at"),
        frame=column("frame"),
        wire=column("wire"),
        captured=captured,
        ttl=column("ttl"),
        ident=column("ident"),
        seq=column("seq"),
        ack=column("ack"),
        bits=bits,
        window=column("window"),
        urgent=column("urgent"),
        option=column("option"),
        clock=column("clock"),
        echo=column("echo"),
        header=header,
        payload=length - header,
        whole=whole,
        sums=_sums(layout, octets, packed, length, whole, column("checksum")),
        before=_before(me, starts, flow),
    )


def powers_of_ten(counts: Column) -> Column:
    """Return which of these counts are powers of ten."""
    # `np.isin` would load modules for 10 ms.
    found, power, most = np.zeros(len(counts), bool), 1, int(counts.max(initial=0))
    while power <= most:
        found |= counts == power
        power *= 10
    return found


def _senders(layout: FrameLayout, rows: Column, starts: Column, flow: Column) -> Column:
    """Return which end sent each segment: 0 is the first sender of its flow."""
    begin = HEAD + layout.addresses
    half = (layout.tcp - layout.addresses) // 2
    port = HEAD + layout.tcp
    other = np.zeros(len(rows), bool)
    for at, size in ((begin, half), (port, 2)):
        source = np.ascontiguousarray(rows[:, at : at + size]).view(f"V{size}")[:, 0]
        source = source.view(f"u{size}" if size < 16 else "u8").reshape(len(rows), -1)
        other |= (source != source[starts][flow]).any(axis=1)
    return other.astype(np.int64)


def _before(me: Column, starts: Column, flow: Column) -> tuple[Column, Column]:
    """Return for each segment the place of the last one before it that each end sent."""
    places = np.arange(len(me))
    first = starts[flow]
    found = []
    for end in (0, 1):
        last = np.maximum.accumulate(np.where(me == end, places, -1))
        last = np.concatenate(([-1], last[:-1]))
        found.append(np.where(last >= first, last, -1))
    return found[0], found[1]


def _sums(
    layout: FrameLayout,
    octets: Column,
    packed: Column,
    length: Column,
    whole: Column,
    checksum: Column,
) -> Column:
    """Return the kind of each checksum."""
    kinds = np.where(whole, np.where(packed & WRONG, DAMAGED, RIGHT), UNKNOWN)
    # Of longer frames the reader has seen all octets.
    kept = np.flatnonzero(whole & (packed >> 2 <= layout.octets))
    base = np.arange(len(packed)) * layout.record.size + HEAD
    if len(kept):
        begin, end = base[kept] + layout.addresses, base[kept] + layout.tcp + length[kept]
        right = (words_sums(octets, begin, end) + length[kept] + TCP) % _ONES == 0
        kinds[kept[~right]] = DAMAGED
    bad = np.flatnonzero(kinds == DAMAGED)
    if len(bad):
        field = checksum[bad]
        begin = base[bad] + layout.addresses
        pseudo = words_sums(octets, begin, base[bad] + layout.tcp) + TCP
        partial = (pseudo + length[bad] - field) % _ONES == 0
        partial |= (pseudo - field) % _ONES == 0
        kinds[bad] = np.where(field == 0, ZERO, np.where(partial, PARTIAL, DAMAGED))
    return kinds
