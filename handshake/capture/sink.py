"""Where a reader puts packed plain frames instead of yielding them, which saves it objects."""

from __future__ import annotations

from typing import Final, Protocol

SELDOM: Final = 0xFFF
"""One in so many packed frames is yielded all the same, so that timeouts are checked."""


class FrameSink(Protocol):
    """Takes the plain frames of some connections; the reader of a pcap file asks for each frame."""

    def buffer(self, key: bytes, /) -> bytearray | None:
        """Return where to append frames with these addresses and ports; None: they are yielded.

        `key` is as in the frame. The reader packs with `packed_frames.V4` and appends in the order
        of the file; before it yields a frame, all earlier ones are in their buffers. It keeps no
        buffer, but asks again for each frame: so the owner may empty one, or refuse, at any time.
        """
        ...
