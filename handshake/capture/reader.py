"""Octets in order from what may not be seekable: a file, a pipe, what was unpacked."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PIECE: Final = 1 << 20
"""How many octets are read at a time, and unpacked at a time."""


class Reader:
    """Octets read once, in order. What is handed out is a view of what was read: no copy."""

    __slots__ = ("_at", "_pieces", "_view", "broken", "offset")

    offset: int
    """How many octets were taken: where the next one stands."""

    broken: str | None
    """Why the octets ended before their time; None where they did not."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        # What unpacks may have nothing to show for a piece: that is not the end.
        self._pieces = filter(None, pieces)
        self._view = memoryview(b"")
        self._at = 0
        self.offset = 0
        self.broken = None

    def peek(self, octets: int) -> memoryview:
        """Return the next octets and leave them there; fewer where the stream ends before."""
        if len(self._view) - self._at < octets:
            self._fill(octets)
        return self._view[self._at : self._at + octets]

    def ready(self) -> memoryview:
        """Return all octets that are at hand, and leave them there; none at the stream's end."""
        if self._at == len(self._view):
            self._fill(1)
        return self._view[self._at :]

    def take(self, octets: int) -> memoryview | None:
        """Return the next octets; None, and take nothing, where the stream ends before."""
        end = self._at + octets
        if end > len(self._view):
            if not self._fill(octets):
                return None
            end = octets
        view = self._view[end - octets : end]
        self._at = end
        self.offset += octets
        return view

    def skip(self, octets: int) -> bool:
        """Pass over the next octets, however many, and tell whether they were all there."""
        while octets:
            here = len(self.peek(min(octets, PIECE)))
            if not here:
                return False
            self.take(here)
            octets -= here
        return True

    def cut_off(self, offset: int, what: str) -> str:
        """Return the warning for octets that end inside what begins at `offset`."""
        if self.broken and self.offset == offset and not self.peek(1):
            return f"broken off at offset {offset}: {self.broken}"
        why = f" ({self.broken})" if self.broken else ""
        return f"cut off at offset {offset}: {what} is not whole{why}"

    def rest(self) -> Iterator[bytes]:
        """Yield all that was not taken, as it comes; the stream is of no use afterwards."""
        yield bytes(self._view[self._at :])
        yield from self._pieces

    def _fill(self, octets: int) -> bool:
        # Pieces from a pipe are small: joining once keeps a large block linear.
        parts = [self._view[self._at :]]
        have = len(parts[0])
        while have < octets and (piece := self._next()):
            parts.append(memoryview(piece))
            have += len(piece)
        self._view = memoryview(b"".join(parts))
        self._at = 0
        return have >= octets

    def _next(self) -> bytes:
        try:
            return next(self._pieces, b"")
        except (OSError, EOFError, zlib.error) as error:
            self.broken = str(error)
            return b""
