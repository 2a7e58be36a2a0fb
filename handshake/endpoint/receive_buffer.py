"""The receive buffer: reassembled data, and whether the expected octets are in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.tcp import ReceiveSpace

if TYPE_CHECKING:
    from handshake.tcp import Segment, Seq

KEPT: Final = 0xFFFF
"""Octets of received data that are kept: enough to tell what answers."""


class ReceiveBuffer:
    """The first `KEPT` octets that the peer sent, reassembled in order."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected
        self._octets = bytearray()
        """At their offsets; `_space` knows the gaps between them."""

        self._space = ReceiveSpace()
        """The same rules that decide what we acknowledge."""

    @property
    def octets(self) -> bytes:
        """The octets before the first gap."""
        irs, nxt = self._space.irs, self._space.nxt
        return b"" if irs is None or nxt is None else bytes(self._octets[: nxt - irs - 1])

    @property
    def found_expected(self) -> bool | None:
        """Whether the expected octets arrived; None if none are expected."""
        return self._expected in self.octets if self._expected else None

    def begin(self, irs: Seq) -> None:
        """Start after the peer's SYN, which has this sequence number."""
        self._space = ReceiveSpace(irs=irs, nxt=irs + 1)

    def take(self, seg: Segment) -> None:
        """Store the payload of an acceptable segment."""
        irs = self._space.irs
        assert irs is not None, "no segment is acceptable before the peer's SYN"
        offset = seg.seq + seg.syn - irs - 1
        # It may start with octets before the buffer, and end beyond what is kept.
        if part := seg.payload[max(0, -offset) : max(0, KEPT - offset)]:
            start = max(0, offset)
            self._octets.extend(bytes(max(0, start - len(self._octets))))
            self._octets[start : start + len(part)] = part
        self._space = self._space.take(seg)
