"""A frame: one record of a capture."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_CAPTURED: Final = 256 * 1024
"""The longest packet in a sound capture; Wireshark has the same limit."""


class Frame(NamedTuple):
    """One packet of a capture, not decoded."""

    number: int
    """The frame number as in Wireshark, from 1."""

    time: int
    """The time in nanoseconds since 1970; 0 if the capture has none."""

    interface: int
    """The interface in its section, from 0."""

    link_type: int
    """The link type: a number of the LINKTYPE registry."""

    length: int
    """Octets on the wire; `data` may have fewer."""

    data: bytes | memoryview
    """The captured octets."""

    offset: int
    """The offset of `data` in the file (in the decompressed data of a compressed file)."""

    @property
    def captured(self) -> int:
        """How many octets were captured."""
        return len(self.data)
