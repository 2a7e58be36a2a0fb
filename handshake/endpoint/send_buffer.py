"""The send buffer: the data to send, and which of it may be sent now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import ControlBlock, Seq

_INITIAL_WINDOW: Final = 10
"""The initial congestion window, in segments (RFC 6928)."""


class SendBuffer:
    """The data of one connection; its first octet follows our SYN in sequence."""

    def __init__(self, data: bytes, iss: Seq) -> None:
        self.size = len(data)
        """Octets in all."""

        self._data = data
        self._first = iss + 1
        self._next = self._first
        """The sequence number of the first octet not yet sent."""

    def __bool__(self) -> bool:
        return self.size > 0

    @property
    def end(self) -> Seq:
        """The sequence number after the last octet."""
        return self._first + len(self._data)

    def acknowledged(self, block: ControlBlock) -> int:
        """Return how many octets the peer has acknowledged."""
        una = block.snd.una
        if una is None or una <= self._first:
            return 0
        return min(una - self._first, len(self._data))

    def rest(self, block: ControlBlock) -> int:
        """Return how many octets are not acknowledged."""
        return len(self._data) - self.acknowledged(block)

    def stop(self, block: ControlBlock) -> None:
        """Discard what is not yet sent, so that our FIN follows what is."""
        nxt = block.snd.nxt
        assert nxt is not None
        self._data = self._data[: max(0, nxt - self._first)]

    def due(self, block: ControlBlock, size: int) -> Iterator[tuple[Seq, bytes, bool]]:
        """Yield what may be sent now, in segments of `size`: number, octets, whether all is sent.

        Limited by the peer's window and by ten segments in flight (RFC 6928).
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

    def retransmit(self, block: ControlBlock, size: int) -> tuple[Seq, bytes] | None:
        """Return the first unacknowledged segment, to retransmit it; None if there is none."""
        una = block.snd.una
        if una is None or not self.rest(block):
            return None
        seq = max(una, self._first)
        # Zero-window probing: one octet (section 3.8.6.1).
        return seq, self._octets(seq, min(size, block.snd.wnd or 1))

    def rewind(self, block: ControlBlock) -> None:
        """Send again what is not acknowledged: none of it arrived."""
        assert block.snd.una is not None
        self._next = max(block.snd.una, self._first)

    def _octets(self, seq: Seq, count: int) -> bytes:
        start = seq - self._first
        return self._data[start : start + count]
