"""The inbox: what the peer has said, in order, and whether what was expected is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.tcp import ReceiveSpace

if TYPE_CHECKING:
    from handshake.tcp import Segment, Seq

KEPT: Final = 0xFFFF
"""Octets of the peer's that are kept: a probe wants to know what answers, and not all of it."""


class ReceiveBuffer:
    """The first octets that the peer sent, whatever the order in which they came."""

    def __init__(self, expected: bytes) -> None:
        self._expected = expected
        self._octets = bytearray()
        """Each in its place; between them are gaps that the space knows."""

        self._space = ReceiveSpace()
        """What has come, by the rules by which it is acknowledged."""

    @property
    def octets(self) -> bytes:
        """What has come without a gap."""
        irs, nxt = self._space.irs, self._space.nxt
        return b"" if irs is None or nxt is None else bytes(self._octets[: nxt - irs - 1])

    @property
    def found_expected(self) -> bool | None:
        """Whether what was expected has come; None where nothing was."""
        return self._expected in self.octets if self._expected else None

    def begin(self, irs: Seq) -> None:
        """Let the octet after this number, the peer's SYN, be the first."""
        self._space = ReceiveSpace(irs=irs, nxt=irs + 1)

    def take(self, seg: Segment) -> None:
        """Take the payload of an acceptable segment."""
        irs = self._space.irs
        assert irs is not None, "nothing is acceptable before the peer's SYN"
        at = seg.seq + seg.syn - irs - 1
        # Its beginning may have come before, and its end may be more than is kept.
        if part := seg.payload[max(0, -at) : max(0, KEPT - at)]:
            place = max(0, at)
            self._octets.extend(bytes(max(0, place - len(self._octets))))
            self._octets[place : place + len(part)] = part
        self._space = self._space.take(seg)
