"""The send buffer: what may be sent now. The receive buffer: reassembled data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.tcp import ReceiveSpace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp import ControlBlock, Segment, Seq


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

    @property
    def sent(self) -> bool:
        """Whether all of it was sent at least once."""
        return self._next >= self.end

    def write(self, octets: bytes) -> None:
        """Append octets that a program gives us to send."""
        self._data += octets
        self.size += len(octets)

    def release(self, block: ControlBlock) -> None:
        """Forget what the peer has acknowledged."""
        count = self.acknowledged(block)
        self._data = self._data[count:]
        self._first += count

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


KEPT: Final = 0xFFFF
"""Octets of received data that are kept unread: enough to tell what answers."""


class ReceiveBuffer:
    """The first `KEPT` octets that the peer sent and that are not read, reassembled in order."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected
        self._octets = bytearray()
        """At their offsets; `_space` knows the gaps between them."""

        self._space = ReceiveSpace()
        """The same rules that decide what we acknowledge."""

        self._first: Seq | None = None
        """The number of the first octet that is not read."""

    @property
    def octets(self) -> bytes:
        """The octets before the first gap."""
        first, nxt = self._first, self._space.nxt
        return b"" if first is None or nxt is None else bytes(self._octets[: nxt - first])

    def read(self) -> bytes:
        """Take the octets before the first gap: there is room for as many again."""
        found = self.octets
        if found:
            assert self._first is not None
            del self._octets[: len(found)]
            self._first += len(found)
        return found

    @property
    def found_expected(self) -> bool | None:
        """Whether the expected octets arrived; None if none are expected."""
        return self._expected in self.octets if self._expected else None

    def begin(self, irs: Seq) -> None:
        """Start after the peer's SYN, which has this sequence number."""
        self._first = irs + 1
        self._space = ReceiveSpace(irs=irs, nxt=self._first)

    def take(self, seg: Segment) -> None:
        """Store the payload of an acceptable segment."""
        assert self._first is not None, "no segment is acceptable before the peer's SYN"
        offset = seg.seq + seg.syn - self._first
        # It may start with octets before the buffer, and end beyond what is kept.
        if part := seg.payload[max(0, -offset) : max(0, KEPT - offset)]:
            start = max(0, offset)
            self._octets.extend(bytes(max(0, start - len(self._octets))))
            self._octets[start : start + len(part)] = part
        self._space = self._space.take(seg)
