"""Groups the plain frames of a chunk by socket pair: one sort instead of a look-up for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from handshake.capture.columns import field
from handshake.packet.packed_frames import HEAD, V4
from handshake.units import RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from handshake.capture.columns import Column
    from handshake.packet.packed_frames import FrameLayout
    from handshake.survey.decode.decode_columns import PlainFrames

_ODD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd numbers that spread addresses and ports over a hash."""

_SHIFT: Final = 29
_WORD: Final = (1 << 64) - 1
_KEY: Final = 12

MOST_BRIEF: Final = 2
"""Frames of an attempt."""


class FlowGroup(NamedTuple):
    """The frames of a chunk that belong to one socket pair, in their order."""

    place: int
    """The place of the first one in the chunk."""

    layout: FrameLayout
    key: bytes
    """Addresses and ports as the first one has them."""

    tag: int | None
    """The tag that all have; -1 for none, None if they differ."""

    opening: int
    """How many there are up to the last SYN without ACK."""

    opens: bool
    """Whether the first one is such a SYN."""

    records: memoryview
    places: Column

    def after(self, count: int) -> FlowGroup:
        """Return the group without so many of its first frames, among them all such SYNs."""
        begin = HEAD + self.layout.addresses
        records = self.records[count * self.layout.record.size :]
        return self._replace(
            place=int(self.places[count]),
            key=bytes(records[begin : HEAD + self.layout.tcp + 4]),
            opening=0,
            opens=False,
            records=records,
            places=self.places[count:],
        )


class Groups:
    """The plain frames of a chunk by socket pair."""

    def __init__(self, frames: PlainFrames) -> None:
        layout, ends = frames.layout, _ends(frames)
        hashes = _hashes(ends)
        order = _order(hashes)
        other = np.zeros(len(order), bool)
        other[0] = True
        for each in ends:
            each = each[order]
            other[1:] |= each[1:] != each[:-1]
        starts = np.flatnonzero(other)
        self.layout = layout
        self.records, self.places = frames.records[order], frames.places[order]
        self.starts, self.stops = starts, np.append(starts[1:], len(order))
        self.hashes = hashes[order[starts]]
        """Of each group; those of different ones are nearly always different."""

        self._opens, tags = frames.opens[order], frames.tags[order]
        self._low = np.minimum.reduceat(tags, starts)
        self._high = np.maximum.reduceat(tags, starts)
        begin, end = HEAD + layout.addresses, HEAD + layout.tcp + 4
        self._keys, self._width = self.records[starts, begin:end].tobytes(), end - begin

    def key(self, at: int) -> bytes:
        """Return addresses and ports of a group as its first frame has them."""
        return self._keys[at * self._width : (at + 1) * self._width]

    def attempts(self) -> Column:
        """Return which groups may be an attempt: a SYN alone, or with a SYN-ACK or RST after it."""
        starts, counts = self.starts, self.stops - self.starts
        found = (
            (self._low == -1) & (self._high == -1) & self._opens[starts] & (counts <= MOST_BRIEF)
        )
        if self.layout is not V4 or not found.any():
            return np.zeros(len(starts), bool)
        second = np.minimum(starts + 1, len(self.records) - 1)
        ends = slice(HEAD + V4.addresses, HEAD + V4.addresses + _KEY)
        answers = (self.records[starts, ends] != self.records[second, ends]).any(axis=1)
        answers &= self.records[second, HEAD + V4.tcp + 13] & (RST_BIT | SYN_BIT) != 0
        found &= (counts == 1) | (answers & ~self._opens[second])
        # What is not told apart by its hash may come in several groups.
        near = self.hashes >> np.uint64(32)
        same = near[1:] == near[:-1]
        found[1:] &= ~same
        found[:-1] &= ~same
        groups: Column = found
        return groups

    def flows(self, which: Column) -> Iterator[FlowGroup]:
        """Yield these groups; a socket pair may come in several, in order."""
        starts, count = self.starts, np.arange(1, len(self.records) + 1)
        openings = np.maximum.reduceat(np.where(self._opens, count, 0), starts) - starts
        octets, size, places = self.records.reshape(-1).data, self.layout.record.size, self.places
        columns = (which, starts[which], self.stops[which], places[starts[which]], openings[which],
                   self._opens[starts[which]], self._low[which], self._high[which])  # fmt: skip
        for at, start, stop, place, opening, opened, one, two in zip(
            *(each.tolist() for each in columns), strict=True
        ):
            yield FlowGroup(
                place,
                self.layout,
                self.key(at),
                one if one == two else None,
                max(0, opening),
                opened,
                octets[start * size : stop * size],
                places[start:stop],
            )


class AttemptGroups(NamedTuple):
    """Groups of a chunk that may be attempts."""

    groups: Groups
    which: Column

    @property
    def place(self) -> int:
        """The place of the first one in the chunk."""
        return int(self._places[0])

    @property
    def _places(self) -> Column:
        found: Column = self.groups.places[self.groups.starts[self.which]]
        return found

    def in_order(self) -> AttemptGroups:
        """Return them in the order of their places."""
        return self._replace(which=self.which[np.argsort(self._places)])

    def until(self, place: int) -> tuple[AttemptGroups, AttemptGroups]:
        """Return those before a place, and those after it."""
        count = int(np.searchsorted(self._places, place))
        return self._replace(which=self.which[:count]), self._replace(which=self.which[count:])


def _ends(frames: PlainFrames) -> list[Column]:
    """Return columns of numbers that are equal for both directions of a socket pair."""
    layout, records = frames.layout, frames.records
    begin, ports = HEAD + layout.addresses, HEAD + layout.tcp
    half = (layout.tcp - layout.addresses) // 2

    def pair(kind: str, at: int, apart: int) -> tuple[Column, Column]:
        """Return a number of the source and the same of the destination, so far behind it."""
        one, two = (field(records, kind, each).astype(np.uint64) for each in (at, at + apart))
        return one, two

    port = pair(">u2", ports, 2)
    if layout is V4:
        source, destination = (
            address << 16 | each
            for address, each in zip(pair(">u4", begin, half), port, strict=True)
        )
        return [np.minimum(source, destination), np.maximum(source, destination)]
    parts = [pair(">u8", begin, half), pair(">u8", begin + 8, half), port]
    # The numbers that differ first tell which end is the lower one.
    lower = port[0] < port[1]
    for one, two in parts[1::-1]:
        lower = np.where(one == two, lower, one < two)
    lows = [np.where(lower, *each) for each in parts]
    highs = [np.where(lower, *each[::-1]) for each in parts]
    return [*lows[:2], *highs[:2], lows[2] << 16 | highs[2]]


def _hashes(ends: Sequence[Column]) -> Column:
    """Return a hash of each frame's socket pair."""
    mixed = np.zeros(len(ends[0]), np.uint64)
    for at, each in enumerate(ends):
        mixed = (mixed ^ each) * np.uint64(_ODD[at % len(_ODD)])
        mixed ^= mixed >> np.uint64(_SHIFT)
    return mixed


def hash_of(key: bytes) -> int:
    """Return the hash of an IPv4 socket pair, as frames of either direction have it."""
    ends = (int.from_bytes(key[at : at + 4] + key[8 + at // 2 :][:2], "big") for at in (0, 4))
    mixed = 0
    for at, each in enumerate(sorted(ends)):
        mixed = (mixed ^ each) * _ODD[at] & _WORD
        mixed ^= mixed >> _SHIFT
    return mixed


def _order(hashes: Column) -> Column:
    """Return an order in which frames of one socket pair follow one another, nearly always.

    Sorting twice by 16 bits is several times as fast as once by 64: numpy sorts those by radix.
    """
    low, high = (hashes >> np.uint64(shift) for shift in (32, 48))
    order = np.argsort((low & np.uint64(0xFFFF)).astype(np.uint16), kind="stable")
    return order[np.argsort(high.astype(np.uint16)[order], kind="stable")]
