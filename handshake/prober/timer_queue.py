"""The timers of all connections in progress: a heap of deadlines."""

from __future__ import annotations

import heapq
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
        self._waiting: list[tuple[int, int, list[TimedT | None]]] = []
        self._pushed = 0

    @property
    def next(self) -> int | None:
        """When the first timer expires."""
        return self._waiting[0][0] if self._waiting else None

    def set(self, connection: TimedT, due: int) -> None:
        """Let the timer expire by then at the latest."""
        if connection.due is None or due < connection.due:
            connection.due = due
            self._pushed += 1
            heapq.heappush(self._waiting, (due, self._pushed, connection.slot))

    def due(self, now: int) -> Iterator[TimedT]:
        """Yield each connection that is due once; one set again for now waits for the next call."""
        slots = []
        while self._waiting and self._waiting[0][0] <= now:
            slots.append(heapq.heappop(self._waiting)[2])
        for (connection,) in slots:
            # One that was pushed twice, since it became due sooner, is yielded at the first.
            if connection is not None and connection.due is not None and connection.due <= now:
                connection.due = None
                yield connection
