"""Sorts the frames of a capture by time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handshake.packet.frame import Frame


def in_order(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Yield the frames by time; those of one time in the order of the file.

    All are read before the first is returned, and keep their numbers.
    """
    yield from sorted(frames, key=lambda frame: frame.time)
