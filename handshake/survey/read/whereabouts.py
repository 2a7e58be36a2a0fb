"""Where in a capture the frames of a connection are, if they are few and far between.

Such a connection can be read again without all that stands between its first frame and its last.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.packet.packed_frames import FrameLayout

_SHIFT: Final = 8
"""Frames by 256 are one stretch."""

_NEAR: Final = 8
"""Stretches that are read at once in any case."""

FAR: Final = _NEAR << _SHIFT
"""Frames between the first and the last one from which it matters where each is."""

MOST: Final = 4 << 20
"""Stretches that are remembered of a capture; other connections are read in one piece."""

_NUMBER: Final = 8
"""Where the number of its frame stands in a record."""


class Whereabouts:
    """The stretches of a capture in which a flow has frames, in order."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found = array("I")

    def add(self, frame: int) -> None:
        """Note a frame, whose number is higher than those before."""
        stretch = frame >> _SHIFT
        if not self._found or stretch > self._found[-1]:
            self._found.append(stretch)

    def add_packed(self, layout: FrameLayout, records: bytes | bytearray) -> None:
        """Note packed frames."""
        size = layout.record.size
        # The upper three octets of each number, which are the stretch.
        high, middle, low = (records[_NUMBER + at :: size] for at in range(3))
        stretch = self._found[-1] if self._found else -1
        # Most follow each other in one stretch.
        for one, two, three in dict.fromkeys(zip(high, middle, low, strict=True)):
            here = one << 16 | two << 8 | three
            if here > stretch:
                stretch = here
                self._found.append(here)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def scattered(self) -> bool:
        """Whether there is much between them."""
        found = self._found
        span = found[-1] - found[0] + 1 if found else 0
        return span > max(_NEAR, 2 * len(found))

    @property
    def frames(self) -> Iterator[range]:
        """The numbers of the frames of each stretch."""
        return (range(each << _SHIFT, each + 1 << _SHIFT) for each in self._found)


def all_of(
    where: Whereabouts | None, layout: FrameLayout, records: bytearray
) -> Whereabouts | None:
    """Return those of a flow that gets no more frames than these; None: it is not scattered."""
    if records and (where is not None or not _near(layout, records)):
        where = where or Whereabouts()
        where.add_packed(layout, records)
    return where if where is not None and where.scattered else None


def _near(layout: FrameLayout, records: bytes | bytearray) -> bool:
    """Whether packed frames are so near together that it does not matter where each is."""
    size = layout.record.size
    if len(records) <= size:
        return True
    first = int.from_bytes(records[_NUMBER : _NUMBER + 4], "big")
    last = int.from_bytes(records[_NUMBER - size :][:4], "big")
    return last - first < FAR
