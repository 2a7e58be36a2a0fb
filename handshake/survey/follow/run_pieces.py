"""The data and acknowledgments of a run in their order, which matters while octets are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.events.run import First, Gain, Stretch
from handshake.units import MASK

if TYPE_CHECKING:
    from handshake.events.run import Piece, RunStart

FAR: Final = 1 << 24
"""Octets acknowledged at once that may be another numbering (`findings.data.FAR`)."""

_JUMP: Final = FAR // 2
"""Missing octets that are no other numbering, wherever in its last numbers a run begins."""

_SIGN: Final = 0x8000_0000
_ROLES: Final = (Role.CLIENT, Role.SERVER)


class Pieces:
    """What the two ends (0, 1) send, and how far the other one takes it."""

    __slots__ = (
        *("found", "_ends", "_nxt", "_acked", "_sent", "_reached", "_expected", "_rooms", "_last"),
        *("_exact", "_limits"),
    )

    def __init__(self, start: RunStart) -> None:
        self.found: list[Piece] = []
        self._ends = ends = start.ends
        self._nxt, self._acked = [each.nxt for each in ends], [each.ack for each in ends]
        self._sent, self._reached = [each.sent for each in ends], [each.reached for each in ends]
        self._expected, self._rooms = [e.expected for e in ends], [e.room for e in ends]
        self._exact = [True, True]
        """Whether `_expected` is what the other end expects, or perhaps less."""

        self._limits = [each.nxt + FAR for each in ends]
        self._last: list[Stretch | None] = [None, None]
        """The last stretch of each end, while nothing after it was acknowledged."""

    def may_have(self, me: int, seq: int, length: int, gain: int) -> bool:
        """Whether a segment has new numbers alone, in the window, and not too many."""
        nxt, you = self._nxt, 1 - me
        if (seq - nxt[me]) & MASK >= _JUMP or (seq - self._acked[you]) & _SIGN:
            return False
        room = self._rooms[me]
        if room is not None:
            ahead = (seq - self._expected[me]) & MASK
            # Beyond the window, the ACK that opened it is missing (`tracker.inference`).
            if ahead >= room and not (length and ahead > room and self._exact[me]):
                return False
        too_many = self._limits[me] - seq - length, self._limits[you] - self._acked[me] - gain
        return not (too_many[0] & _SIGN or too_many[1] & _SIGN)

    def add(
        self, me: int, seq: int, length: int, ack: int, window: int, place: int, *, whole: bool
    ) -> None:
        """Add what a segment sends and acknowledges."""
        nxt, sent, reached, expected = self._nxt, self._sent, self._reached, self._expected
        you, mine = 1 - me, self._ends[me]
        if not (mine.data if length else mine.acks):
            self.found.append(First(_ROLES[me], data=length > 0))
            mine.data, mine.acks = mine.data or length > 0, mine.acks or not length
        if (reached[you] - ack) & _SIGN:
            if (reached[you] - nxt[you]) & _SIGN:
                reached[you] = nxt[you]
            else:
                self._ends[you].in_a_row = -1
        if ack != self._acked[me]:
            unseen = (ack - sent[you]) & MASK
            unseen = 0 if unseen & _SIGN else unseen
            self.found.append(Gain(_ROLES[me], ack, unseen, nxt[you], place))
            self._acked[me], self._last[you] = ack, None
            if unseen:
                sent[you] = ack
            if (expected[you] - ack) & _SIGN:
                expected[you] = ack
                # Data ahead may have come that begins there.
                self._exact[you] = not (ack - nxt[you]) & _SIGN
        if length or seq != nxt[me]:
            after, last = (seq + length) & MASK, self._last[me]
            if last is not None and seq == nxt[me] and last.whole is whole:
                last.length += length
            else:
                self._last[me] = last = Stretch(_ROLES[me], seq, length, whole)
                self.found.append(last)
            room = self._rooms[me]
            if room is not None and (seq - expected[me]) & MASK > room:
                self._rooms[me], mine.unopened = None, True
            if seq == expected[me]:
                expected[me] = after
            if seq == reached[me]:
                reached[me] = after
            nxt[me] = after
            if (sent[me] - after) & _SIGN:
                sent[me] = after
        shift = mine.shift
        self._rooms[you] = None if shift is None else window << shift

    def write(self) -> None:
        """Note in both ends how far all came."""
        for index, each in enumerate(self._ends):
            each.sent, each.reached = self._sent[index], self._reached[index]
            each.room = self._rooms[index]
