"""The outbox: the octets that a caller wants to say, and which of them may leave now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import ControlBlock, Seq

_INITIAL_WINDOW: Final = 10
"""Segments that may be under way before anything is known of the path (RFC 6928)."""


class SendBuffer:
    """What is to be said. Its first octet has the number after our SYN's."""

    def __init__(self, data: bytes, iss: Seq) -> None:
        self.size = len(data)
        """How many octets are to be said."""

        self._data = data
        self._first = iss + 1
        self._next = self._first
        """The number of the first octet that has not left yet."""

    def __bool__(self) -> bool:
        return self.size > 0

    @property
    def end(self) -> Seq:
        """The number after the last octet."""
        return self._first + len(self._data)

    def acknowledged(self, block: ControlBlock) -> int:
        """Return how many octets of it the peer has acknowledged."""
        una = block.snd.una
        if una is None or una <= self._first:
            return 0
        return min(una - self._first, len(self._data))

    def rest(self, block: ControlBlock) -> int:
        """Return how many octets of it are not acknowledged."""
        return len(self._data) - self.acknowledged(block)

    def stop(self, block: ControlBlock) -> None:
        """Say nothing that has not left yet: our FIN stands behind what has."""
        nxt = block.snd.nxt
        assert nxt is not None
        self._data = self._data[: max(0, nxt - self._first)]

    def due(self, block: ControlBlock, size: int) -> Iterator[tuple[Seq, bytes, bool]]:
        """Yield what may leave now, in segments of `size`: number, octets, whether all is said.

        No more than the peer's window has room for, nor than ten segments under way (RFC 6928).
        """
        una, wnd = block.snd.una, block.snd.wnd
        assert una is not None
        self._next = max(self._next, una, self._first)
        last = min(una + min(wnd or 0, _INITIAL_WINDOW * size), self.end)
        while self._next < last:
            seq = self._next
            octets = self._octets(seq, min(size, last - seq))
            self._next = seq + len(octets)
            yield seq, octets, self._next == self.end

    def again(self, block: ControlBlock, size: int) -> tuple[Seq, bytes] | None:
        """Return the first segment that is not acknowledged, to be sent again; None if all is."""
        una = block.snd.una
        if una is None or not self.rest(block):
            return None
        seq = max(una, self._first)
        # Into a window of zero one octet is sent, to learn when it opens (section 3.8.6.1).
        return seq, self._octets(seq, min(size, block.snd.wnd or 1))

    def _octets(self, seq: Seq, count: int) -> bytes:
        at = seq - self._first
        return self._data[at : at + count]
