"""Zeek's reassembler for one direction: which octets are missing, and which are held."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MAX_UNACKNOWLEDGED: Final = 16384
"""Octets without an ACK after which Zeek assumes that ACKs take another path."""

MAX_HELD: Final = 10 * 1024 * 1024
"""Unacknowledged octets that Zeek holds before it gives the stream up."""


@dataclass(eq=False, slots=True)
class Stream:
    """The octets of one direction, counted from 1 as if a SYN had number 0."""

    delivered: int = 1
    """The number after the last octet that was delivered in order."""

    freed: int = 1
    """The number up to which octets were acknowledged, and are no longer held."""

    above: list[tuple[int, int]] = field(default_factory=list)
    """Data after a hole: disjoint ranges in order, the end excluded."""

    given_up: bool = False
    """Whether Zeek no longer looks for holes in it."""

    ended: bool = False
    """Whether all octets before its FIN or RST were delivered."""

    @property
    def holds(self) -> bool:
        """Whether octets of it wait for an ACK or for a hole to be filled."""
        return bool(self.above) or self.delivered > self.freed

    def take(self, seq: int, end: int) -> None:
        """Add the octets from `seq` to before `end`."""
        if end <= self.freed:
            return
        seq = max(seq, self.freed)
        if seq > self.delivered:
            self._keep(seq, end)
        elif end > self.delivered:
            self.delivered = end
            self._join()

    def free(self) -> None:
        """Free what was delivered, since no ACK will."""
        self.freed = max(self.freed, self.delivered)

    def give_up_if_unacknowledged(self, *, unacknowledged: bool) -> None:
        """Stop looking for holes where too much is unacknowledged."""
        above = self.above
        waiting = above[-1][1] - self.delivered if above else 0
        held = self.delivered - self.freed + sum(end - seq for seq, end in above)
        if (unacknowledged and waiting > MAX_UNACKNOWLEDGED) or held > MAX_HELD:
            above.clear()
            self.freed = self.delivered
            self.given_up = True

    def acknowledge(self, seq: int, *, from_the_middle: bool) -> list[int]:
        """Return the lengths of the holes that an ACK of `seq` covers: octets not captured."""
        holes: list[int] = []
        if seq <= self.freed:
            return holes
        above = self.above
        # Without a SYN the initial number is a guess; a keep-alive makes it one too low.
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
        """Deliver what a filled hole held back."""
        above = self.above
        while above and above[0][0] <= self.delivered:
            self.delivered = max(self.delivered, above.pop(0)[1])
