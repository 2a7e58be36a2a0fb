"""Reads octets in order from a file, a pipe or a decompressor, which may not be seekable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.errors import CaptureError, system_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PIECE: Final = 1 << 20
"""Octets read or decompressed at a time."""

LARGE_PIECE: Final = 2 << 20
"""Octets read at a time where frames are taken in columns: more if packets are long."""

LARGEST_PIECE: Final = 5 << 20


class Reader:
    """Octets read once, in order. Returns views of what was read, not copies."""

    __slots__ = ("_again", "_at", "_pieces", "_rest", "_view", "broken", "offset")

    offset: int
    """How many octets were taken: the offset of the next one."""

    broken: str
    """Why the octets ended early; empty if they did not."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        again: Callable[[int, int], Iterable[bytes] | None] = lambda *_: None,
    ) -> None:
        """`again` returns the octets from an offset on, if they can be read again.

        It is told the offset that was reached: None if it is best to read on from there.
        """
        self._again = again
        # A decompressor may return nothing for a piece: that is not the end.
        self._pieces = filter(None, pieces)
        self._view = self._rest = memoryview(b"")
        self._at = 0
        self.offset = 0
        self.broken = ""

    def peek(self, octets: int) -> memoryview:
        """Return the next octets without taking them; fewer if the stream ends before."""
        if len(self._view) - self._at < octets:
            self._fill(octets)
        return self._view[self._at : self._at + octets]

    def ready(self) -> memoryview:
        """Return all octets that follow one another in memory, without taking them.

        None are left only at the end of the stream.
        """
        if self._at == len(self._view):
            self._fill(1)
        return self._view[self._at :]

    def take(self, octets: int) -> memoryview | None:
        """Take the next octets; return None, and take nothing, if the stream ends before."""
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
        """Skip octets; return whether they were all there."""
        while octets:
            here = len(self.peek(min(octets, PIECE)))
            if not here:
                return False
            self.take(here)
            octets -= here
        return True

    def go_to(self, offset: int) -> None:
        """Go on at an offset: not before this one, if the octets can be read only once."""
        pieces = self._again(offset, self.offset)
        if pieces is None:
            self.skip(max(0, offset - self.offset))
            return
        self._pieces = filter(None, pieces)
        self._view = self._rest = memoryview(b"")
        self._at, self.offset = 0, offset

    def truncated(self, offset: int, packet: int = 0) -> CaptureError:
        """Return the warning for a packet, or block, that begins at `offset` and is incomplete."""
        if self.broken and self.offset == offset and not self.peek(1):
            return CaptureError("capture.broken", offset=offset, why=self.broken)
        return CaptureError("capture.truncated", offset=offset, packet=packet, why=self.broken)

    def rest(self) -> Iterator[bytes]:
        """Yield all octets not taken, as they arrive; the stream cannot be used afterwards."""
        yield bytes(self._view[self._at :])
        yield bytes(self._rest)
        yield from self._pieces

    def _fill(self, octets: int) -> bool:
        # Pieces from a pipe are small: joining once keeps a large block linear. Of a large piece,
        # no more is copied than must follow what is left of the one before it.
        parts = [self._view[self._at :]] if self._at < len(self._view) else []
        have = len(self._view) - self._at
        while have < octets:
            piece = self._rest or memoryview(self._next())
            if not piece:
                break
            here = octets - have if have else len(piece)
            parts.append(piece[:here])
            self._rest = piece[here:]
            have += len(parts[-1])
        self._view = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
        self._at = 0
        return have >= octets

    def _next(self) -> bytes:
        try:
            return next(self._pieces, b"")
        except OSError as error:
            self.broken = system_error(error)
        except CaptureError as error:
            self.broken = str(error)
        return b""
