"""What Zeek's reassembler has of one direction: where octets are missing, and what is held."""

from __future__ import annotations

from typing import Final

MAX_UNHEARD: Final = 16384
"""After so much without one ACK, Zeek believes that the ACKs take another way."""

MAX_HELD: Final = 10 * 1024 * 1024
"""Zeek holds so much data that nobody acknowledges, and then gives the stream up."""


class Stream:
    """The octets of one direction, counted from 1 as if a SYN had number 0."""

    __slots__ = ("above", "delivered", "ended", "freed", "given_up")

    delivered: int
    """The number after the last octet that could be passed on in order."""

    freed: int
    """The number up to which octets need not be held any more: they were acknowledged."""

    above: list[tuple[int, int]]
    """What came after a hole: first number and the number after the last, in order, apart."""

    given_up: bool
    """Whether Zeek no longer looks for holes in it."""

    ended: bool
    """Whether all that came before its FIN or RST was passed on."""

    def __init__(self) -> None:
        self.delivered = self.freed = 1
        self.above = []
        self.given_up = self.ended = False

    @property
    def holds(self) -> bool:
        """Whether octets of it wait for an ACK or for a hole to be filled."""
        return bool(self.above) or self.delivered > self.freed

    def take(self, seq: int, end: int) -> None:
        """Put the octets from `seq` to before `end` where they belong."""
        if end <= self.freed:
            return
        seq = max(seq, self.freed)
        if seq > self.delivered:
            self._keep(seq, end)
        elif end > self.delivered:
            self.delivered = end
            self._join()

    def free(self) -> None:
        """Hold nothing that was passed on, since no ACK will come to free it."""
        self.freed = max(self.freed, self.delivered)

    def give_up_where_unheard(self, *, unheard: bool) -> None:
        """Stop looking for holes where too much came that nobody acknowledges."""
        above = self.above
        waiting = above[-1][1] - self.delivered if above else 0
        held = self.delivered - self.freed + sum(end - seq for seq, end in above)
        if (unheard and waiting > MAX_UNHEARD) or held > MAX_HELD:
            above.clear()
            self.freed = self.delivered
            self.given_up = True

    def acknowledge(self, seq: int, *, from_the_middle: bool) -> list[int]:
        """Return the lengths of the holes that an ACK of `seq` shows to be the capture's."""
        holes: list[int] = []
        if seq <= self.freed:
            return holes
        above = self.above
        # Where no SYN was seen, the first number is a guess, and may be wrong by a keep-alive's.
        if seq > self.delivered and not (from_the_middle and seq <= 2):
            if self.given_up:
                self.delivered = seq
            while above and above[0][0] < seq:
                first, end = above.pop(0)
                holes.append(first - self.delivered)
                self.delivered = end
            if seq > self.delivered:
                holes.append(seq - self.delivered)
                self.delivered = seq
        while above and above[0][1] <= seq:
            del above[0]
        self.freed = seq
        if above:
            self._join()
        return holes

    def _keep(self, seq: int, end: int) -> None:
        above = self.above
        if above and seq <= above[-1][1]:
            above.append((seq, end))
            above.sort()
            joined = [above[0]]
            for first, last in above[1:]:
                if first > joined[-1][1]:
                    joined.append((first, last))
                elif last > joined[-1][1]:
                    joined[-1] = (joined[-1][0], last)
            above[:] = joined
        else:
            above.append((seq, end))

    def _join(self) -> None:
        """Pass on what a filled hole kept back."""
        above = self.above
        while above and above[0][0] <= self.delivered:
            self.delivered = max(self.delivered, above.pop(0)[1])
