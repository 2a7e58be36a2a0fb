"""Tracks connections as they happen, in bounded memory: what is over is forgotten."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from handshake.tracker import RECORD, PairTracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handshake.events import Step
    from handshake.tcp import Endpoint, Observed
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker.connection import Connection
    from handshake.tracker.observer import Observer

    Observers = Iterable[Callable[[], Observer]]

MOST: Final = 10_000
"""Socket pairs that are followed at a time."""


class LiveTracker:
    """One `PairTracker` for each socket pair; the one that was silent longest makes room."""

    def __init__(self, *, observers: Observers = RECORD, most: int = MOST) -> None:
        self.dropped = 0
        """How many connections were given up for lack of room."""

        self._observers = tuple(observers)
        self._most = most
        self._numbers = count()
        self._pairs: dict[tuple[Endpoint, Endpoint], PairTracker] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def feed(self, observed: Observed) -> Step:
        """Return what a segment changed, in its connection."""
        ends = _in_order(observed)
        pair = self._pairs.pop(ends, None)
        if pair is None:
            if len(self._pairs) >= self._most:
                del self._pairs[next(iter(self._pairs))]
                self.dropped += 1
            pair = PairTracker(observers=self._observers, numbers=self._numbers)
        self._pairs[ends] = pair
        return pair.feed(observed)

    def connection(self, one: Endpoint, other: Endpoint) -> Connection | None:
        """Return the last connection of a socket pair; None where none is followed."""
        pair = self._pairs.get((one, other)) or self._pairs.get((other, one))
        return None if pair is None else pair.connection

    def quoted(self, error: IcmpError) -> None:
        """Take an ICMP error into account that quotes a segment."""
        ends = error.source, error.destination
        pair = self._pairs.get(ends) or self._pairs.get(ends[::-1])
        if pair is not None:
            pair.quoted(error)

    def forget(self, one: Endpoint, other: Endpoint) -> None:
        """Forget a socket pair."""
        self._pairs.pop((one, other), None)
        self._pairs.pop((other, one), None)


def _in_order(observed: Observed) -> tuple[Endpoint, Endpoint]:
    """Return both ends in an order that is the same for both directions."""
    one, other = observed.segment.source, observed.segment.destination
    first = (one.address.packed, one.port) <= (other.address.packed, other.port)
    return (one, other) if first else (other, one)
