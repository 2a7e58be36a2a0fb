"""Where a reader puts packed plain frames instead of yielding them, which saves it objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from handshake.capture.columns import Chunk

SELDOM: Final = 0xFFF
"""One in so many packed frames is yielded all the same, so that timeouts are checked."""


MUCH: Final = 1 << 19
"""Octets ready to be read from which they are read in columns."""


class FrameSink(Protocol):
    """Takes frames: those of large files in columns, else the plain ones of some connections."""

    def buffer(self, key: bytes, /) -> bytearray | None:
        """Return where to append frames with these addresses and ports; None: they are yielded.

        `key` is as in the frame. The reader packs with `packed_frames.V4` and appends in the order
        of the file; before it yields a frame, all earlier ones are in their buffers. It keeps no
        buffer, but asks again for each frame: so the owner may empty one, or refuse, at any time.
        """
        ...

    def take(self, chunk: Chunk, /) -> None:
        """Take all packets of a chunk.

        The reader yields the frame that follows it, whatever that is, before it reads on.
        """
        ...
