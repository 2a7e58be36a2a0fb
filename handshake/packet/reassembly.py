"""Reassembles IP fragments, within bounds of memory."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.checksum import internet_checksum

if TYPE_CHECKING:
    from collections.abc import Hashable

    from handshake.packet.ip import Fragment, Header
    from handshake.packet.layer import Octets

_MOST_PACKETS: Final = 4096
_MOST_OCTETS: Final = 8 << 20
"""Limits on incomplete packets: the oldest are dropped, so that a flood cannot exhaust memory."""

_MOST_PARTS: Final = 1024
"""The most fragments of a packet: enough for 64 KiB at the smallest IPv4 MTU (RFC 791)."""

_LARGEST: Final = 0xFFFF
"""The largest value of the length field."""


class Whole(NamedTuple):
    """A reassembled packet (RFC 791 section 3.2, RFC 8200 section 4.5)."""

    octets: bytes
    """Its headers, and the payload up to the first octet that was not captured."""

    length: int
    """Its length when it was sent."""


class _Part(NamedTuple):
    begin: int
    end: int
    octets: bytes
    """The captured octets."""


@dataclass(slots=True)
class _Waiting:
    first_frame: int
    count: int = 0
    held: int = 0
    header: bytes = b""
    """The header of the first fragment, without the fragmentation fields."""

    parts: list[_Part] = field(default_factory=list)
    """In the order of their offsets; empty if `invalid`."""

    covered: int = 0
    total: int | None = None
    """The length of the payload, known from the last fragment."""

    invalid: bool = False
    """Whether the fragments contradict each other: then none is used."""

    def take(self, part: _Part, *, more: bool) -> bool:
        """Add a fragment; return whether it is consistent with the others."""
        begin, end, _ = part
        if not begin < end <= _LARGEST or (more and (end - begin) % 8):
            return False
        if not more:
            if self.total not in (None, end):
                return False
            self.total = end
        at = bisect(self.parts, begin, key=lambda other: other.begin)
        if at and self.parts[at - 1].begin == begin:
            return self.parts[at - 1].end == end  # a copy
        after = self.parts[at].begin if at < len(self.parts) else self.total
        if (at and self.parts[at - 1].end > begin) or (after is not None and after < end):
            return False
        if not more and at < len(self.parts):
            return False
        self.parts.insert(at, part)
        self.covered += end - begin
        self.held += len(part.octets)
        return len(self.parts) <= _MOST_PARTS


class Fragments:
    """The incomplete packets."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, _Waiting] = {}
        self._held = 0
        self._dropped = 0
        self._first_dropped = 0

    def add(
        self, octets: Octets, at: int, header: Header, via: tuple[str, ...], frame: int
    ) -> Whole | None:
        """Return the packet that this fragment completes; None while others are missing.

        Overlapping fragments, except copies, invalidate their packet: RFC 5722 requires it, and
        Linux does the same for IPv4.
        """
        fragment = header.fragment
        assert fragment is not None
        key = (via, *_key(octets, at, header, fragment))
        waiting = self._waiting.setdefault(key, _Waiting(frame))
        waiting.count += 1
        if waiting.invalid:
            return None
        begin, size = fragment.offset, header.end - header.at
        part = _Part(begin, begin + size, bytes(octets[header.at : header.end]))
        self._held -= waiting.held
        if not waiting.take(part, more=fragment.more):
            waiting.invalid, waiting.held, waiting.parts = True, 0, []
        elif begin == 0 and not waiting.header:
            waiting.header = _kept(octets, at, fragment)
        self._held += waiting.held
        if waiting.covered == waiting.total and not waiting.invalid:
            self._held -= waiting.held
            del self._waiting[key]
            return _joined(waiting)
        while len(self._waiting) > _MOST_PACKETS or self._held > _MOST_OCTETS:
            self._drop(next(iter(self._waiting)))
        return None

    @property
    def left(self) -> tuple[int, int]:
        """The number of unused fragments so far, and the frame of the first one."""
        frames = [waiting.first_frame for waiting in self._waiting.values()]
        if self._dropped:
            frames.append(self._first_dropped)
        count = self._dropped + sum(waiting.count for waiting in self._waiting.values())
        return count, min(frames, default=0)

    def _drop(self, key: Hashable) -> None:
        waiting = self._waiting.pop(key)
        self._held -= waiting.held
        if not self._dropped:
            self._first_dropped = waiting.first_frame
        self._dropped += waiting.count


def _key(octets: Octets, at: int, header: Header, fragment: Fragment) -> tuple[object, ...]:
    if len(header.source) == 4:
        return (header.source, header.destination, header.protocol, fragment.identification)
    # Fragments of one packet may differ in the next header (RFC 8200 section 4.5).
    return (header.source, bytes(octets[at + 24 : at + 40]), fragment.identification)


def _kept(octets: Octets, at: int, fragment: Fragment) -> bytes:
    kept = bytearray(octets[at : fragment.begin])
    kept[fragment.named - at] = fragment.following
    if kept[0] >> 4 == 4:
        kept[6:8] = bytes(2)
    return bytes(kept)


def _joined(waiting: _Waiting) -> Whole | None:
    assert waiting.total is not None
    head = bytearray(waiting.header)
    length = len(head) + waiting.total
    if length > _LARGEST:
        return None  # a ping of death
    octets = b""
    for part in waiting.parts:
        octets += part.octets
        if len(part.octets) < part.end - part.begin:
            break
    if head[0] >> 4 == 4:
        head[2:4] = length.to_bytes(2, "big")
        head[10:12] = bytes(2)
        head[10:12] = internet_checksum(bytes(head)).to_bytes(2, "big")
    else:
        head[4:6] = (length - 40).to_bytes(2, "big")
    return Whole(bytes(head) + octets, length)
