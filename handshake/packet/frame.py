"""A frame: what one record of a capture says, and the octets it holds."""

from __future__ import annotations

from typing import Final, NamedTuple

MAX_CAPTURED: Final = 256 * 1024
"""More octets of one packet than this are a sign of damage; Wireshark draws the same line."""


class Frame(NamedTuple):
    """One packet of a capture, not looked into."""

    number: int
    """Counted from 1 over all packets, as Wireshark does."""

    time: int
    """When, in nanoseconds since 1970; 0 where the capture does not say."""

    interface: int
    """Which interface of its section, counted from 0."""

    link_type: int
    """What its octets begin with: a number of the LINKTYPE registry."""

    length: int
    """Octets on the wire, of which `data` may hold fewer."""

    data: bytes | memoryview
    """The octets that were captured."""

    offset: int
    """Where `data` stands in the file (in what was packed, where the file is)."""

    @property
    def captured(self) -> int:
        """How many octets were captured."""
        return len(self.data)
