"""Tracks connections from captured segments: an observed segment in, a step out."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from handshake.tracker.connection import Connection, End, Observer
from handshake.tracker.pair import RECORD, PairTracker
from handshake.tracker.summary import summarize, summarize_end, zeek_records

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.events import Step
    from handshake.tcp import ControlBlock, Endpoint, Observed
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker.pair import Observers

__all__ = [
    "RECORD",
    "Connection",
    "End",
    "Observer",
    "PairTracker",
    "Tracker",
    "summarize",
    "summarize_end",
    "zeek_records",
]


class Tracker:
    """Tracks all connections, each socket pair with a `PairTracker`, which tells the parameters."""

    def __init__(
        self,
        sockets: Iterable[ControlBlock] = (),
        client: Endpoint | None = None,
        *,
        observers: Observers = RECORD,
    ) -> None:
        self.connections: list[Connection] = []
        """By number."""

        self._pairs: dict[tuple[Endpoint, Endpoint], PairTracker] = {}
        self._sockets = tuple(sockets)
        self._client = client
        self._observers = tuple(observers)
        self._numbers = count()

    def feed(self, observed: Observed) -> Step:
        """Return what the segment changed, in its connection."""
        ends = (observed.segment.source, observed.segment.destination)
        pair = self._pairs.get(ends)
        if pair is None:
            pair = PairTracker(
                self._sockets, self._client, observers=self._observers, numbers=self._numbers
            )
            self._pairs[ends] = self._pairs[ends[::-1]] = pair
        step = pair.feed(observed)
        if step.stream == len(self.connections):
            assert pair.connection is not None
            self.connections.append(pair.connection)
        return step

    def quoted(self, error: IcmpError) -> Connection | None:
        """Return the connection whose segment this ICMP error quotes; None where none is known."""
        pair = self._pairs.get((error.source, error.destination))
        if pair is None:
            return None
        pair.quoted(error)
        return pair.connection
