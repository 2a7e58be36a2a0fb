"""Packets of a capture in columns: numpy arrays of where each record is, and of what it says."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from handshake.packet.frame import MAX_CAPTURED, Frame
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Column: TypeAlias = NDArray[Any]

FEWEST: Final = 256
"""Packets from which columns pay."""

_RECORD: Final = 16
_BLOCK: Final = 28
_SHORTEST_BLOCK: Final = 32
_ENHANCED_PACKET: Final = 6
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

    def first(self, count: int) -> Chunk:
        """Return so many of its first packets."""
        return self._replace(
            begins=self.begins[:count],
            captured=self.captured[:count],
            length=self.length[:count],
            times=self.times[:count],
            interfaces=self.interfaces[:count],
            link_types=self.link_types[:count],
        )


class InterfaceClock(NamedTuple):
    """The link type and the time stamps of an interface of a pcapng file."""

    link_type: int
    unit: int
    """Nanoseconds of a unit."""

    seconds: int
    """The offset of each time stamp."""


def gathered(octets: Column, places: Column, size: int) -> Column:
    """Return so many octets from each of these places on, a row for each."""
    rows = np.ndarray((len(octets) - size + 1,), f"V{size}", octets, strides=(1,))
    return rows[places].view(np.uint8).reshape(len(places), size)


def pcap_records(octets: memoryview, order: str) -> tuple[list[int], int]:
    """Return where the complete records begin with which these octets begin, and where they end.

    They end before one that may be damaged.
    """
    lengths, size, at = Struct(f"{order}II").unpack_from, len(octets), 0
    places: list[int] = []
    while at + _RECORD <= size:
        captured, length = lengths(octets, at + 8)
        end = at + _RECORD + captured
        if end > size or captured > MAX_CAPTURED or not length:
            break
        places.append(at)
        at = end
    return places, at


def pcap_chunk(
    octets: memoryview,
    offset: int,
    number: int,
    places: list[int],
    order: str,
    nanoseconds: int,
    link_type: int,
) -> Chunk:
    """Return the packets of pcap records that begin at these places; the first has this number."""
    begins, heads = _heads(octets, places, order, _RECORD)
    same = np.zeros(len(begins), np.int64)
    return Chunk(
        octets=octets,
        offset=offset,
        number=number,
        begins=begins + _RECORD,
        captured=heads[:, 2],
        length=heads[:, 3],
        times=heads[:, 0] * NS_PER_SECOND + heads[:, 1] * nanoseconds,
        interfaces=same,
        link_types=same + link_type,
    )


def pcapng_blocks(
    octets: memoryview, order: str, clocks: Sequence[InterfaceClock | None]
) -> tuple[list[int], int]:
    """Return where the enhanced packet blocks begin with which these octets begin, and their end.

    They end before any other block, one that may be damaged, and one of an interface without clock.
    """
    block, closing = Struct(f"{order}III8xI").unpack_from, Struct(f"{order}I").unpack_from
    size, known, at = len(octets), len(clocks), 0
    places: list[int] = []
    while at + _SHORTEST_BLOCK <= size:
        kind, length, interface, captured = block(octets, at)
        end = at + length
        if (
            kind != _ENHANCED_PACKET
            or length & 3
            or end > size
            or captured > MAX_CAPTURED
            or captured + _SHORTEST_BLOCK > length
            or interface >= known
            or clocks[interface] is None
            or closing(octets, end - 4)[0] != length
        ):
            break
        places.append(at)
        at = end
    return places, at


def pcapng_chunk(
    octets: memoryview,
    offset: int,
    number: int,
    places: list[int],
    order: str,
    clocks: Sequence[InterfaceClock | None],
) -> Chunk | None:
    """Return the packets of such blocks; None if a time stamp is out of range."""
    begins, heads = _heads(octets, places, order, _BLOCK)
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
        begins=begins + _BLOCK,
        captured=heads[:, 5],
        length=heads[:, 6],
        times=(high << 32 | low) * units + seconds * NS_PER_SECOND,
        interfaces=interfaces,
        link_types=links,
    )


def _heads(octets: memoryview, places: list[int], order: str, size: int) -> tuple[Column, Column]:
    """Return these places, and the numbers with which the records there begin."""
    begins = np.array(places, np.int64)
    rows = gathered(np.frombuffer(octets, np.uint8), begins, size)
    return begins, rows.view(f"{order}u4").astype(np.int64)
