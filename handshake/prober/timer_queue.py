"""The timers of all connections in progress: a queue and a heap of deadlines."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Timed(Protocol):
    """A connection, as far as its timer goes."""

    due: int | None
    """When its timer expires, in nanoseconds; None if it is not set."""

    slot: list[Self | None]
    """The cell by which the queue refers to it: emptied when it ends."""


TimedT = TypeVar("TimedT", bound=Timed)


class TimerQueue(Generic[TimedT]):
    """Orders connections by the expiry of their timers. Times are in nanoseconds."""

    def __init__(self) -> None:
        # Most timers are those of SYNs, of which each expires after the one before.
        self._in_order: deque[tuple[int, int, list[TimedT | None]]] = deque()
        self._others: list[tuple[int, int, list[TimedT | None]]] = []
        self._pushed = 0

    @property
    def next(self) -> int | None:
        """When the first timer expires."""
        return min((each[0][0] for each in (self._in_order, self._others) if each), default=None)

    def set(self, connection: TimedT, due: int) -> None:
        """Let the timer expire by then at the latest."""
        if connection.due is None or due < connection.due:
            connection.due = due
            self._pushed += 1
            entry = due, self._pushed, connection.slot
            if not self._in_order or due >= self._in_order[-1][0]:
                self._in_order.append(entry)
            else:
                heapq.heappush(self._others, entry)

    def due(self, now: int) -> Iterator[TimedT]:
        """Yield each connection that is due once; one set again for now waits for the next call."""
        entries = []
        while self._in_order and self._in_order[0][0] <= now:
            entries.append(self._in_order.popleft())
        if self._others and self._others[0][0] <= now:
            while self._others and self._others[0][0] <= now:
                entries.append(heapq.heappop(self._others))
            entries.sort()
        for _, _, (connection,) in entries:
            # One that was pushed twice, since it became due sooner, is yielded at the first.
            if connection is not None and connection.due is not None and connection.due <= now:
                connection.due = None
                yield connection
