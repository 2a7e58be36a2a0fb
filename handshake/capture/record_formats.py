"""Records of pcap files and blocks of pcapng files, as `capture.record_walk` follows them."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from handshake.capture.record_walk import record_places
from handshake.packet.frame import MAX_CAPTURED
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.capture.columns import Column, InterfaceClock

_HEADER: Final = 16
_SHORTEST_BLOCK: Final = 32
_ENHANCED_PACKET: Final = 6
_NUMBER: Final = 4
"""Octets of a number in a header."""


def pcap_records(octets: memoryview, order: str) -> tuple[Column, int]:
    """Return where the complete records begin with which these octets begin, and where they end.

    They end before one that may be damaged.
    """
    return record_places(_PcapRecords(octets, order))


def pcapng_blocks(
    octets: memoryview, order: str, clocks: Sequence[InterfaceClock | None]
) -> tuple[Column, int]:
    """Return where the enhanced packet blocks begin with which these octets begin, and their end.

    They end before any other block, one that may be damaged, and one of an interface without clock.
    """
    return record_places(_EnhancedBlocks(octets, order, clocks))


class _NumbersAt:
    """Consecutive numbers of 32 bits, `count` at a time, at any place of some octets."""

    def __init__(self, octets: memoryview, order: str, count: int, ahead: int = 0) -> None:
        """They are `ahead` of the places that are asked for."""
        size, self._kind, self._count = count * _NUMBER, f"{order}u4", count
        most = max(0, len(octets) - ahead - size + 1)
        self._rows = np.ndarray((most,), f"V{size}", octets, ahead if most else 0, (1,))

    def __call__(self, places: Column) -> Column:
        """Return the numbers at each of these places; if they are several, a row for each."""
        found: Column = self._rows[places].view(self._kind)
        return found if self._count == 1 else found.reshape(-1, self._count)


class _PcapRecords:
    """Octets that begin with a record of a pcap file."""

    least = _HEADER

    def __init__(self, octets: memoryview, order: str) -> None:
        self.octets = octets
        self._captured = _NumbersAt(octets, order, 1, 8)
        self._headers = _NumbersAt(octets, order, 4)
        self._lengths = Struct(f"{order}8xII").unpack_from
        self._order: Literal["little", "big"] = "little" if order == "<" else "big"
        self.marked = 2 if order == "<" else 0

    def mark(self, at: int) -> bytes:
        """As `RecordFormat` has it: the higher half of the seconds changes every 18 hours."""
        return bytes(self.octets[at + self.marked :][:2])

    def singly(self, at: int, stop: int) -> tuple[list[int], int]:
        """As `RecordFormat` has it."""
        lengths, octets, size = self._lengths, self.octets, len(self.octets)
        stop = min(stop, size - _HEADER + 1)
        places: list[int] = []
        while at < stop:
            captured, length = lengths(octets, at)
            end = at + _HEADER + captured
            if end > size or captured > MAX_CAPTURED or not length:
                break
            places.append(at)
            at = end
        return places, at

    def lengths(self, places: Column) -> Column:
        """As `RecordFormat` has it."""
        found: Column = self._captured(places) + np.int64(_HEADER)
        return found

    def sound(self, places: Column) -> Column:
        """As `RecordFormat` has it."""
        _, _, captured, length = self._headers(places).T
        good = (captured <= MAX_CAPTURED) & (length > 0)
        good &= places + captured <= len(self.octets) - _HEADER
        found: Column = good
        return found

    def plausible(self, places: Column, mark: bytes) -> Column:
        """As `RecordFormat` has it: so does the record after it."""
        good, high = np.ones(len(places), bool), int.from_bytes(mark, self._order)
        for _ in range(2):
            seconds, fraction, captured, length = self._headers(places).T
            good &= (seconds >> 16 == high) & (fraction < NS_PER_SECOND)
            good &= (captured <= length) & (captured <= MAX_CAPTURED) & (length > 0)
            places = places + captured + _HEADER
            good &= places <= len(self.octets) - _HEADER
            places = np.where(good, places, 0)
        return good


class _EnhancedBlocks:
    """Octets that begin with an enhanced packet block of a pcapng file."""

    least = _SHORTEST_BLOCK
    marked = 0

    def __init__(
        self, octets: memoryview, order: str, clocks: Sequence[InterfaceClock | None]
    ) -> None:
        self.octets, self._clocks = octets, clocks
        self._block_length = _NumbersAt(octets, order, 1, 4)
        self._headers = _NumbersAt(octets, order, 6)
        self._closings = _NumbersAt(octets, order, 1)
        self._block = Struct(f"{order}III8xI").unpack_from
        self._closing = Struct(f"{order}I").unpack_from
        self._mark = Struct(f"{order}I").pack(_ENHANCED_PACKET)
        # One more stands for all that are not known.
        self._known = np.array([*(each is not None for each in clocks), False])

    def singly(self, at: int, stop: int) -> tuple[list[int], int]:
        """As `RecordFormat` has it."""
        block, closing, clocks, size = self._block, self._closing, self._clocks, len(self.octets)
        stop, known = min(stop, size - _SHORTEST_BLOCK + 1), len(clocks)
        places: list[int] = []
        while at < stop:
            kind, length, interface, captured = block(self.octets, at)
            end = at + length
            if (
                kind != _ENHANCED_PACKET
                or length & 3
                or end > size
                or captured > MAX_CAPTURED
                or captured + _SHORTEST_BLOCK > length
                or interface >= known
                or clocks[interface] is None
                or closing(self.octets, end - _NUMBER)[0] != length
            ):
                break
            places.append(at)
            at = end
        return places, at

    def lengths(self, places: Column) -> Column:
        """As `RecordFormat` has it."""
        return self._block_length(places).astype(np.int64)

    def sound(self, places: Column) -> Column:
        """As `RecordFormat` has it."""
        kind, length, interface, _, _, captured = self._headers(places).astype(np.int64).T
        ends = places + length
        good = (kind == _ENHANCED_PACKET) & (length & 3 == 0) & (ends <= len(self.octets))
        good &= (captured <= MAX_CAPTURED) & (captured + _SHORTEST_BLOCK <= length)
        good &= self._known[np.minimum(interface, len(self._clocks))]
        good &= self._closings(np.where(good, ends, _NUMBER) - _NUMBER) == length
        found: Column = good
        return found

    def mark(self, _: int) -> bytes:
        """As `RecordFormat` has it."""
        return self._mark

    def plausible(self, places: Column, _: bytes) -> Column:
        """As `RecordFormat` has it."""
        # The lengths of blocks are multiples of four.
        found: Column = self.sound(places) & (places & 3 == 0)
        return found
