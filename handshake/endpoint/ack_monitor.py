"""The watch: whether the peer took our ACK, for which only what it does not do is a sign.

A peer whose SYN,ACK is not acknowledged sends it again: Linux after 1, 3, 7 s and so on. Where
it does not, and says nothing else either, it seems to have taken our ACK (section 3.8.1); for
certain it does not know who keeps nothing before that, as with SYN cookies.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from handshake.units import NS_PER_SECOND

_SOONEST: Final = NS_PER_SECOND // 5
"""No timer repeats a segment sooner: what comes sooner was copied on the way (RFC 6298)."""

_ENOUGH: Final = 2
"""Times that a SYN,ACK comes again, each of them answered, after which nobody takes our ACKs."""


class AckStatus(NamedTuple):
    """What is known of whether the peer took our ACK."""

    confirmed: bool
    """Whether it showed that it did: by anything but its SYN,ACK."""

    watched: float
    """For how many seconds its SYN,ACK was awaited once more."""

    again: tuple[float, ...] = ()
    """When that came again, in seconds from when it came first."""

    withheld: bool = False
    """Whether our ACK never left."""


class SynAckMonitor:
    """Times the SYN,ACKs of one peer, from the first one on; in nanoseconds."""

    def __init__(self) -> None:
        self._came: int | None = None
        self._last = 0
        self._until = 0
        self._least = 0
        self.again: list[int] = []
        """When the SYN,ACK came again, counted from when it came first."""

    def begin(self, at: int, observe: int, came: int) -> None:
        """The SYN,ACK is heard, and is to be watched for so long; it came by this stamp."""
        self._came, self._last = came, at
        self._until = self._least = at + observe

    def repeated(self, at: int, came: int) -> None:
        """Note that it is heard again; who is busy hears it later than it came."""
        if self._came is None:
            return
        waited, self._last = at - self._last, at
        if waited < _SOONEST:
            return
        # Its timer doubles each time, and so does the time in which silence says nothing.
        self._until = max(self._until, at + waited * 5 // 2)
        self.again.append(came - self._came)

    @property
    def until(self) -> int:
        """From when on its silence tells that our ACK was taken, or its noise that none was."""
        return self._least if len(self.again) >= _ENOUGH else self._until

    @property
    def in_vain(self) -> bool:
        """Whether it came again and again, although each time it was answered."""
        return len(self.again) >= _ENOUGH
