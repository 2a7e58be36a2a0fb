"""Decodes the packets of a chunk in columns: packs all plain frames at once.

What is plain `packet.packed_frames` tells; how a tagged frame came, the codec tells for the first
one of each tag. All other packets are left to the codec.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from handshake.capture.columns import field, gathered
from handshake.packet import packed_frames
from handshake.packet.layer import IPV4, IPV6
from handshake.packet.packed_frames import ETHERNET, HEAD, UNTAGGED, V4, V6
from handshake.units import ACK_BIT, SYN_BIT, TCP

if TYPE_CHECKING:
    from handshake.capture.columns import Chunk, Column
    from handshake.packet.decode import Decoder
    from handshake.packet.packed_frames import FrameLayout, Framing

_VLAN: Final = 0x8100
_TAG: Final = 4
_ONES: Final = 0xFFFF
_RIGHT: Final = 1
_WORD: Final = 8
"""Octets that are summed at once."""

_BLOCK: Final = 1 << 16
"""Words that are summed one after another, so that they stay in the processor's cache."""

_HALF: Final = np.uint64(32)
_LOWER: Final = np.uint64(0xFFFF_FFFF)
_BEFORE: Final = np.array([(1 << 8 * octets) - 1 for octets in range(_WORD)], np.uint64)
"""Masks that keep so many octets of a word."""

_OPENING: Final = SYN_BIT | ACK_BIT
_FIELDS: Final = {
    V4: {
        "kind": (">u2", 12),
        "first": ("u1", 14),
        "total": (">u2", 16),
        "part": (">u2", 20),
        "protocol": ("u1", 23),
        "bits": (">u2", 46),
    },
    V6: {
        "kind": (">u2", 12),
        "first": ("u1", 14),
        "total": (">u2", 18),
        "protocol": ("u1", 20),
        "bits": (">u2", 66),
    },
}


class PlainFrames(NamedTuple):
    """The plain frames of a chunk that have one layout, in their order."""

    layout: FrameLayout
    places: Column
    """Where they are in the chunk."""

    records: Column
    """Packed as `packed_frames` has it, a row of octets each."""

    opens: Column
    """Which are SYNs without ACK."""

    tags: Column
    """The tag of each; -1 if it has none."""


class ColumnDecoder:
    """Decodes the packets of chunks in columns."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._framings: dict[int, Framing | None] = {-1: UNTAGGED}

    def framing(self, tag: int) -> Framing:
        """Return how frames with this tag came."""
        found = self._framings[tag]
        assert found is not None
        return found

    def decode(self, chunk: Chunk) -> tuple[list[PlainFrames], Column]:
        """Return the plain frames of a chunk, and the places of all others."""
        octets = np.frombuffer(chunk.octets, np.uint8)
        begins, tags = self._untagged(chunk, octets)
        captured, length = chunk.captured, chunk.length
        if begins is not chunk.begins:
            shifts = begins - chunk.begins
            captured, length = captured - shifts, length - shifts
        # Other link types are left to the codec.
        ethernet = (chunk.link_types == ETHERNET) & (captured >= packed_frames.PLAIN_OCTETS)
        known = np.zeros(len(begins), bool)
        found = []
        for layout in (V4, V6):
            wanted = np.flatnonzero(ethernet & ~known)
            if not len(wanted):
                continue
            rows = gathered(octets, begins[wanted], layout.octets)
            plain, end = _plain(layout, rows, captured[wanted], length[wanted])
            plain &= self._are_known(chunk, wanted, tags[wanted], plain)
            places = wanted[plain]
            if not len(places):
                continue
            known[places] = True
            if len(places) < len(wanted):
                rows, end = rows[plain], end[plain]
            tagged = tags[places] >= 0
            if tagged.any():
                rows[tagged, :12] = 0
            which = begins[places], captured[places], length[places]
            checked = _checked(layout, octets, rows, *which[:2], end)
            head = chunk.times[places], chunk.number + places, which[2], which[1] << 2 | checked
            bits = _field(rows, layout, "bits")
            found.append(
                PlainFrames(
                    layout=layout,
                    places=places,
                    records=_packed(layout, rows, which[1], *head),
                    opens=bits & _OPENING == SYN_BIT,
                    tags=tags[places],
                )
            )
        return found, np.flatnonzero(~known)

    def _untagged(self, chunk: Chunk, octets: Column) -> tuple[Column, Column]:
        """Return where frames would begin without their tag, and the tags; -1 for none."""
        begins, tags = chunk.begins, np.full(len(chunk.begins), -1)
        # At the end of a chunk, what is read behind a short frame is padding.
        head = gathered(octets, begins + 12, 4).view(">u2")
        tagged = (head[:, 0] == _VLAN) & (chunk.link_types == ETHERNET)
        if not tagged.any():
            return begins, tags
        tags[tagged] = head[tagged, 1]
        return begins + _TAG * tagged, tags

    def _are_known(self, chunk: Chunk, wanted: Column, tags: Column, plain: Column) -> Column:
        """Return whether it is known how frames with these tags came; the codec tells it."""
        chosen = tags[plain]
        if not len(chosen) or chosen.max() < 0:
            return np.ones(len(tags), bool)
        for tag in set(chosen.tolist()) - self._framings.keys():
            frame = chunk.frame(int(wanted[np.flatnonzero(plain & (tags == tag))[0]]))
            fields = self._decoder.fields(frame)
            found = packed_frames.unwrapped(frame, fields) if isinstance(fields, tuple) else None
            self._framings[tag] = None if found is None else found[1]
        unknown = [tag for tag, framing in self._framings.items() if framing is None]
        return ~np.isin(tags, unknown) if unknown else np.ones(len(tags), bool)


def _field(rows: Column, layout: FrameLayout, name: str) -> Column:
    """Return one field of the headers as signed integers."""
    kind, at = _FIELDS[layout][name]
    return field(rows, kind, at).astype(np.int64)


def _plain(
    layout: FrameLayout, rows: Column, captured: Column, length: Column
) -> tuple[Column, Column]:
    """Return which frames are plain, as `packed_frames.plain` tells, and where segments end."""
    total, bits = _field(rows, layout, "total"), _field(rows, layout, "bits")
    header, segment = bits >> 10 & 60, total - layout.counted
    plain = (_field(rows, layout, "protocol") == TCP) & (header >= 20) & (header <= segment)
    plain &= segment <= length - layout.tcp
    kind, first = _field(rows, layout, "kind"), _field(rows, layout, "first")
    if layout is V4:
        plain &= (kind == IPV4) & (first == 0x45) & (_field(rows, layout, "part") & 0x3FFF == 0)
    else:
        plain &= (kind == IPV6) & (first >> 4 == 6) & (captured >= packed_frames.PLAIN_V6_OCTETS)
        plain &= header + layout.tcp <= layout.octets
    return plain, layout.tcp + segment


def _checked(
    layout: FrameLayout, octets: Column, rows: Column, begins: Column, captured: Column, end: Column
) -> Column:
    """Return what is known of each checksum: right, wrong, or 0 if all octets are kept, or cut."""
    found = np.zeros(len(rows), np.int64)
    whole = np.flatnonzero((captured > layout.octets) & (captured >= end))
    if len(whole):
        begin, stop = begins[whole] + layout.addresses, begins[whole] + end[whole]
        segment = end[whole] - layout.tcp
        right = (words_sums(octets, begin, stop) + TCP + segment) % _ONES == 0
        found[whole] = np.where(right, _RIGHT, packed_frames.WRONG)
    return found


def words_sums(octets: Column, begins: Column, ends: Column) -> Column:
    """Return the sum of the 16-bit words of each range, modulo 2**16 - 1.

    An odd last octet is padded. Ranges follow one another; each has eight octets at least.
    """
    # Words of 64 bits, from a place on that is a multiple of eight in memory.
    first = int(begins[0])
    skipped = first - (octets.__array_interface__["data"][0] + first) % _WORD
    count = (int(ends[-1]) - skipped) // _WORD + 1
    octets = octets[max(0, skipped) : skipped + count * _WORD]
    if len(octets) < count * _WORD:
        whole = np.zeros(count * _WORD, np.uint8)
        whole[max(0, -skipped) :][: len(octets)] = octets
        octets = whole
    words = octets.view("<u8")
    begins, ends = begins - skipped, ends - skipped
    bounds = np.empty(2 * len(begins), np.int64)
    bounds[::2], bounds[1::2] = begins >> 3, ends >> 3
    sums = _full_words(words, bounds)
    # What the first word has before a range, and the word after the last one in it.
    sums += _low(words, ends) - _low(words, begins)
    sums = (sums >> 32) + (sums & 0xFFFF_FFFF)
    # Words were read as little-endian from an even offset: 2**16 is 1, so 2**8 swaps octets.
    found: Column = np.where(begins & 1, sums, sums << 8) % _ONES
    return found


def _full_words(words: Column, bounds: Column) -> Column:
    """Return the sum of the 32-bit halves of the words between each two of these bounds."""
    found, begin = np.empty(len(bounds) // 2, np.uint64), 0
    edges = np.searchsorted(bounds[::2], np.arange(_BLOCK, len(words) + _BLOCK, _BLOCK))
    for end in edges.tolist():
        if begin == end:
            continue
        mine = bounds[2 * begin : 2 * end]
        first = int(mine[0])
        block, mine = words[first : int(mine[-1]) + 1], mine - first
        # The sum of higher halves, which do not overflow, gives that of lower ones, too.
        high, both = (np.add.reduceat(each, mine)[::2] for each in (block >> _HALF, block))
        found[begin:end] = high + both - (high << _HALF)
        begin = end
    return found.astype(np.int64)


def _low(words: Column, places: Column) -> Column:
    """Return the octets of a word before each of these places, as half a word."""
    found = words[places >> 3] & _BEFORE[places & 7]
    halves: Column = (found >> _HALF) + (found & _LOWER)
    return halves.astype(np.int64)


def _packed(
    layout: FrameLayout,
    rows: Column,
    captured: Column,
    times: Column,
    numbers: Column,
    length: Column,
    packed: Column,
) -> Column:
    """Return the records of frames."""
    records = np.empty((len(rows), layout.record.size), np.uint8)
    field(records, ">u8", 0)[:] = times
    for at, column in ((8, numbers), (12, length), (16, packed)):
        field(records, ">u4", at)[:] = column
    # Behind what was captured, there are zeros.
    if len(captured) and captured.min() < layout.octets:
        rows = rows.view(np.uint64) & _kept(layout.octets)[np.minimum(captured, layout.octets)]
    kind = f"V{layout.octets}"
    field(records, kind, HEAD)[:] = rows.view(kind)[:, 0]
    return records


@cache
def _kept(octets: int) -> Column:
    """Return masks that keep so many octets of a row, for each number of them."""
    places = np.arange(octets)
    return (
        np.where(places < np.arange(octets + 1)[:, None], 255, 0).astype(np.uint8).view(np.uint64)
    )
