"""The timers of all connections in progress: a queue and a heap of deadlines."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Timed(Protocol):
    """A connection, as far as its timer goes."""

    due: int | None
    """When its timer expires, in nanoseconds; None if it is not set."""

    timer: int
    """The number of its timer, as the queue knows it."""


TimedT = TypeVar("TimedT", bound=Timed)


class TimerQueue(Generic[TimedT]):
    """Orders connections by the expiry of their timers. Times are in nanoseconds."""

    def __init__(self) -> None:
        # Most timers are those of SYNs, of which each expires after the one before.
        self._in_order: deque[tuple[int, int]] = deque()
        self._others: list[tuple[int, int]] = []
        # By number: what has ended must not be kept until its timer would have expired.
        self._set: dict[int, TimedT] = {}
        self._last = 0

    @property
    def next(self) -> int | None:
        """When the first timer expires."""
        return min((each[0][0] for each in (self._in_order, self._others) if each), default=None)

    def set(self, connection: TimedT, due: int) -> None:
        """Let the timer expire by then at the latest."""
        if connection.due is None or due < connection.due:
            self.cancel(connection)
            connection.due = due
            number = connection.timer = self._last = self._last + 1
            self._set[number] = connection
            entry = due, number
            if not self._in_order or due >= self._in_order[-1][0]:
                self._in_order.append(entry)
            else:
                heapq.heappush(self._others, entry)

    def cancel(self, connection: TimedT) -> None:
        """Let its timer not expire."""
        self._set.pop(connection.timer, None)
        connection.due = None

    def due(self, now: int) -> Iterator[TimedT]:
        """Yield each connection that is due once; one set again for now waits for the next call."""
        entries = []
        while self._in_order and self._in_order[0][0] <= now:
            entries.append(self._in_order.popleft())
        if self._others and self._others[0][0] <= now:
            while self._others and self._others[0][0] <= now:
                entries.append(heapq.heappop(self._others))
            entries.sort()
        for _, number in entries:
            connection = self._set.pop(number, None)
            if connection is not None:
                connection.due = None
                yield connection
