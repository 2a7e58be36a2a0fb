"""Packets of a capture in columns: numpy arrays of where each record is, and of what it says."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from handshake.capture.checkpoints import Checkpoint
from handshake.packet.frame import Frame
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from handshake.capture.checkpoints import Checkpoints

    Column: TypeAlias = NDArray[Any]

FEWEST: Final = 256
"""Packets from which columns pay."""

MOST: Final = 1 << 14
"""Packets of a chunk: so few stay in the processor's cache, column by column."""

_RECORD: Final = 16
_BLOCK: Final = 28
_LATEST: Final = 9.2e18
"""Nanoseconds that surely fit in 64 bits with a sign."""


class Chunk(NamedTuple):
    """Consecutive packets of a capture; each column has an item for each."""

    octets: memoryview
    """The part of the file in which they are."""

    offset: int
    """Where that part begins in the file."""

    number: int
    """The frame number of the first one."""

    begins: Column
    """Where the captured octets of each begin in `octets`."""

    captured: Column
    """How many octets were captured."""

    length: Column
    """Octets on the wire."""

    times: Column
    """Nanoseconds since 1970."""

    interfaces: Column
    link_types: Column

    def frame(self, place: int) -> Frame:
        """Return one of them as a frame."""
        begin, captured = int(self.begins[place]), int(self.captured[place])
        return Frame(
            self.number + place,
            int(self.times[place]),
            int(self.interfaces[place]),
            int(self.link_types[place]),
            int(self.length[place]),
            self.octets[begin : begin + captured],
            self.offset + begin,
        )

    def parts(self) -> Iterator[tuple[Chunk, Frame]]:
        """Yield its packets in parts, and after each part the frame that follows it."""
        count = len(self.begins)
        parts = -(-count // MOST)
        edges = [count * part // parts for part in range(parts + 1)]
        for begin, end in pairwise(edges):
            columns = {name: getattr(self, name)[begin : end - 1] for name in _COLUMNS}
            yield self._replace(number=self.number + begin, **columns), self.frame(end - 1)


_COLUMNS: Final = ("begins", "captured", "length", "times", "interfaces", "link_types")


class InterfaceClock(NamedTuple):
    """The link type and the time stamps of an interface of a pcapng file."""

    link_type: int
    unit: int
    """Nanoseconds of a unit."""

    seconds: int
    """The offset of each time stamp."""


def add_checkpoints(
    checkpoints: Checkpoints,
    places: Column,
    offset: int,
    number: int,
    known: tuple[object, ...] = (),
) -> None:
    """Add the checkpoints that are wanted among records that begin at these places after `offset`.

    The first has this number; `known` is as `Checkpoint` has it.
    """
    while (at := int(np.searchsorted(places, checkpoints.due - offset))) < len(places):
        checkpoints.add(Checkpoint(number + at, offset + int(places[at]), known))


def gathered(octets: Column, places: Column, size: int) -> Column:
    """Return so many octets from each of these places on, a row for each; zeros behind the end."""
    kind, most = f"V{size}", len(octets) - size
    late = places > most
    if late.any():
        begin = int(places[late].min())
        last = np.concatenate((octets[begin:], np.zeros(size, np.uint8)))
        found = np.empty((len(places), size), np.uint8)
        found[late] = gathered(last, places[late] - begin, size)
        if not late.all():
            found[~late] = gathered(octets, places[~late], size)
        return found
    rows = np.ndarray((most + 1,), kind, octets, strides=(1,))
    return rows[places].view(np.uint8).reshape(len(places), size)


def field(rows: Column, kind: str, at: int) -> Column:
    """Return a view of what is in each row at some octet."""
    return np.ndarray((len(rows),), kind, rows, at, rows.strides[:1])


def pcap_chunk(
    octets: memoryview,
    offset: int,
    number: int,
    places: Column,
    order: str,
    nanoseconds: int,
    link_type: int,
) -> Chunk:
    """Return the packets of pcap records that begin at these places; the first has this number."""
    heads = _heads(octets, places, order, _RECORD)
    same = np.zeros(len(places), np.int64)
    return Chunk(
        octets=octets,
        offset=offset,
        number=number,
        begins=places + _RECORD,
        captured=heads[:, 2],
        length=heads[:, 3],
        times=heads[:, 0] * NS_PER_SECOND + heads[:, 1] * nanoseconds,
        interfaces=same,
        link_types=same + link_type,
    )


def pcapng_chunk(
    octets: memoryview,
    offset: int,
    number: int,
    places: Column,
    order: str,
    clocks: Sequence[InterfaceClock | None],
) -> Chunk | None:
    """Return the packets of such blocks; None if a time stamp is out of range."""
    heads = _heads(octets, places, order, _BLOCK)
    interfaces = heads[:, 2]
    known = [each or InterfaceClock(0, 1, 0) for each in clocks]
    links, units, seconds = np.array(known, np.int64)[interfaces].T
    high, low = heads[:, 3], heads[:, 4]
    about = (high * 2.0**32 + low) * units + seconds * float(NS_PER_SECOND)
    if np.abs(about).max() > _LATEST or np.abs(high * 2.0**32 * units).max() > _LATEST:
        return None
    return Chunk(
        octets=octets,
        offset=offset,
        number=number,
        begins=places + _BLOCK,
        captured=heads[:, 5],
        length=heads[:, 6],
        times=(high << 32 | low) * units + seconds * NS_PER_SECOND,
        interfaces=interfaces,
        link_types=links,
    )


def _heads(octets: memoryview, places: Column, order: str, size: int) -> Column:
    """Return the numbers with which the records at these places begin."""
    rows = gathered(np.frombuffer(octets, np.uint8), places, size)
    found: Column = rows.view(f"{order}u4").astype(np.int64)
    return found
