"""Which octets of a stream were captured, so that each is counted once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from handshake.units import FIN_BIT, MASK, RST_BIT, SYN_BIT

_SIGN: Final = 0x8000_0000

_HOLES: Final = 256
"""Gaps remembered; the oldest are dropped first."""


@dataclass(eq=False, slots=True)
class Coverage:
    """The octets that one end sent, captured or missing, and what its last segment added."""

    count: int = 0
    """Unique octets of payload."""

    ahead: int = 0
    """Of the last segment: octets beyond the highest captured so far."""

    filled: int = 0
    """Of the last segment: octets that fill gaps."""

    gap: int = 0
    """Between the highest octet captured and the last segment: missing octets."""

    _top: int | None = None
    _holes: list[tuple[int, int]] = field(default_factory=list)

    def take(self, seq: int, length: int, flags: int) -> None:
        """Add a segment. The payload of a RST is no part of the stream (section 3.5.3)."""
        if seq == self._top and not flags & (SYN_BIT | FIN_BIT | RST_BIT):
            # Nearly every segment begins where the last one ended.
            self.ahead, self.filled, self.gap = length, 0, 0
            self._top = (seq + length) & MASK
            self.count += length
            return
        self.ahead = self.filled = self.gap = 0
        if flags & RST_BIT:
            return
        if flags & SYN_BIT:
            seq = (seq + 1) & MASK
        top = self._top
        if top is None:
            top = seq
        elif seq != top and not (seq - top) & _SIGN:
            self.gap = (seq - top) & MASK
            self._holes.append((top, seq))
            del self._holes[:-_HOLES]
            top = seq
        end = (seq + length) & MASK
        if (top - end) & _SIGN:
            self.ahead = (end - top) & MASK
            top = end
        if self._holes and length > self.ahead:
            self._fill(seq, (end - self.ahead) & MASK)
        # A FIN takes a sequence number, but is no octet.
        if flags & FIN_BIT and end == top:
            top = (top + 1) & MASK
        self._top = top
        self.count += self.ahead + self.filled

    def _fill(self, seq: int, end: int) -> None:
        """Remove `seq` to `end` from the gaps."""
        left = []
        for first, last in self._holes:
            start = seq if (first - seq) & _SIGN else first
            stop = end if (end - last) & _SIGN else last
            if not (start - stop) & _SIGN:
                left.append((first, last))
                continue
            self.filled += (stop - start) & MASK
            if first != start:
                left.append((first, start))
            if stop != last:
                left.append((stop, last))
        self._holes = left
