"""Groups the plain frames of a chunk by socket pair: one sort instead of a look-up for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from handshake.packet.packed_frames import HEAD, V4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.columns import Column
    from handshake.packet.packed_frames import FrameLayout
    from handshake.survey.decode_columns import PlainFrames

_ODD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd numbers that spread addresses and ports over a hash."""


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


def groups(frames: PlainFrames) -> Iterator[FlowGroup]:
    """Yield a group for each socket pair; one may come in several groups, in order."""
    layout, ends = frames.layout, _ends(frames)
    order = _order(ends)
    keys = [each[order] for each in ends]
    other = np.zeros(len(order), bool)
    other[0] = True
    for each in keys:
        other[1:] |= each[1:] != each[:-1]
    starts = np.flatnonzero(other)
    stops = np.append(starts[1:], len(order))
    records, places = frames.records[order], frames.places[order]
    count = np.arange(1, len(order) + 1)
    opens = frames.opens[order]
    openings = np.maximum.reduceat(np.where(opens, count, 0), starts) - starts
    tags = frames.tags[order]
    low, high = np.minimum.reduceat(tags, starts), np.maximum.reduceat(tags, starts)
    octets, size = records.reshape(-1).data, layout.record.size
    begin = HEAD + layout.addresses
    end = HEAD + layout.tcp + 4
    first = records[starts, begin:end].tobytes()
    width = end - begin
    # fmt: off
    for at, (start, stop, place, opening, opened, one, two) in enumerate(zip(
            starts.tolist(), stops.tolist(), places[starts].tolist(), openings.tolist(),
            opens[starts].tolist(), low.tolist(), high.tolist(), strict=True)):
        # fmt: on
        yield FlowGroup(
            place,
            layout,
            first[at * width : (at + 1) * width],
            one if one == two else None,
            max(0, opening),
            opened,
            octets[start * size : stop * size],
            places[start:stop],
        )


def _ends(frames: PlainFrames) -> list[Column]:
    """Return columns of numbers that are equal for both directions of a socket pair."""
    layout, records = frames.layout, frames.records
    begin, ports = HEAD + layout.addresses, HEAD + layout.tcp
    half = (layout.tcp - layout.addresses) // 2
    kind = ">u4" if layout is V4 else ">u8"
    one, two = (
        records[:, at : at + half].copy().view(kind).astype(np.uint64)
        for at in (begin, begin + half)
    )
    port = records[:, ports : ports + 4].copy().view(">u2").astype(np.uint64)
    if layout is V4:
        source, destination = one[:, 0] << 16 | port[:, 0], two[:, 0] << 16 | port[:, 1]
        return [np.minimum(source, destination), np.maximum(source, destination)]
    # The numbers that differ first tell which end is the lower one.
    lower = port[:, 0] < port[:, 1]
    for at in (1, 0):
        lower = np.where(one[:, at] == two[:, at], lower, one[:, at] < two[:, at])
    parts = [(one[:, 0], two[:, 0]), (one[:, 1], two[:, 1]), (port[:, 0], port[:, 1])]
    lows = [np.where(lower, *each) for each in parts]
    highs = [np.where(lower, *each[::-1]) for each in parts]
    return [*lows[:2], *highs[:2], lows[2] << 16 | highs[2]]


def _order(ends: list[Column]) -> Column:
    """Return an order in which frames of one socket pair follow one another, nearly always.

    Sorting twice by 16 bits is several times as fast as once by 64: numpy sorts those by radix.
    """
    mixed = np.zeros(len(ends[0]), np.uint64)
    for at, each in enumerate(ends):
        mixed = (mixed ^ each) * np.uint64(_ODD[at % len(_ODD)])
        mixed ^= mixed >> np.uint64(29)
    low, high = (mixed >> np.uint64(shift) for shift in (32, 48))
    order = np.argsort((low & np.uint64(0xFFFF)).astype(np.uint16), kind="stable")
    return order[np.argsort(high.astype(np.uint16)[order], kind="stable")]
