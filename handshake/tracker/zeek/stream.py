"""Zeek's reassembler for one direction: which octets are missing, and which are held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from handshake.tcp.space import Ranges

MAX_UNACKNOWLEDGED: Final = 16384
"""Octets without an ACK after which Zeek assumes that ACKs take another path."""

MAX_HELD: Final = 10 * 1024 * 1024
"""Unacknowledged octets that Zeek holds before it gives the stream up."""

MAX_RANGES: Final = 1 << 18
"""Ranges after a hole from which we give it up, too: Zeek counts octets alone."""


@dataclass(eq=False, slots=True)
class Stream:
    """The octets of one direction, counted from 1 as if a SYN had number 0."""

    delivered: int = 1
    """The number after the last octet that was delivered in order."""

    freed: int = 1
    """The number up to which octets were acknowledged, and are no longer held."""

    above: Ranges | None = None
    """Data after a hole; None while there was none."""

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
            if self.above is None:
                self.above = Ranges()
            self.above.add(seq, end)
        elif end > self.delivered:
            self.delivered = end
            self._join()

    def free(self) -> None:
        """Free what was delivered, since no ACK will."""
        self.freed = max(self.freed, self.delivered)

    def give_up_if_unacknowledged(self, *, unacknowledged: bool) -> None:
        """Stop looking for holes where too much is unacknowledged."""
        above, held, waiting, ranges = self.above, self.delivered - self.freed, 0, 0
        if above:
            waiting, ranges = above.top - self.delivered, len(above)
            held += above.octets
        if (
            (unacknowledged and waiting > MAX_UNACKNOWLEDGED)
            or held > MAX_HELD
            or ranges > MAX_RANGES
        ):
            self.above = None
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
            while above and above.first[0] < seq:
                first, end = above.pop()
                holes.append(first - self.delivered)
                self.delivered = end
            if seq > self.delivered:
                holes.append(seq - self.delivered)
                self.delivered = seq
        while above and above.first[1] <= seq:
            above.pop()
        self.freed = seq
        self._join()
        return holes

    def _join(self) -> None:
        """Deliver what a filled hole held back."""
        above = self.above
        while above and above.first[0] <= self.delivered:
            self.delivered = max(self.delivered, above.pop()[1])
