"""The inbox: what the peer has said, in order, and whether what was expected is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from handshake.tcp import Segment, Seq

KEPT: Final = 0xFFFF
"""Octets of the peer's that are kept: a probe wants to know what answers, and not all of it."""

_AHEAD: Final = 64
"""Segments kept that came before what they follow."""


class Inbox:
    """The first octets that the peer sent, whatever the order in which they came."""

    def __init__(self, expected: bytes) -> None:
        self.octets = b""
        self._expected = expected
        self._next: Seq | None = None
        self._ahead: list[tuple[Seq, bytes]] = []

    @property
    def met(self) -> bool | None:
        """Whether what was expected has come; None where nothing was."""
        return self._expected in self.octets if self._expected else None

    def begin(self, irs: Seq) -> None:
        """Let the octet after this number, the peer's SYN, be the first."""
        self._next = irs + 1

    def take(self, seg: Segment) -> None:
        """Take the payload of an acceptable segment."""
        if seg.payload and len(self.octets) < KEPT and len(self._ahead) < _AHEAD:
            self._ahead.append((seg.seq + seg.syn, seg.payload))
            while self._join():
                pass

    def _join(self) -> bool:
        """Put in its place what is next; return whether there was something."""
        assert self._next is not None, "nothing is acceptable before the peer's SYN"
        for place, (seq, octets) in enumerate(self._ahead):
            known = self._next - seq
            if known < 0:
                continue
            del self._ahead[place]
            fresh = octets[known:]
            self.octets = (self.octets + fresh)[:KEPT]
            self._next += len(fresh)
            return True
        return False
