"""The timers of all calls that are under way."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class Timed(Protocol):
    """A call, as far as its timer goes."""

    due: int | None
    """When it will be woken."""

    slot: list[Self | None]
    """How those find it that would wake it: empty once it has ended."""


CallT = TypeVar("CallT", bound=Timed)


class TimerQueue(Generic[CallT]):
    """Knows which calls are to be woken, the earliest first. Times are in nanoseconds."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, list[CallT | None]]] = []
        self._pushed = 0

    @property
    def next(self) -> int | None:
        """When the first one is due."""
        return self._waiting[0][0] if self._waiting else None

    def set(self, call: CallT, due: int) -> None:
        """Wake the call by then at the latest."""
        if call.due is None or due < call.due:
            call.due = due
            self._pushed += 1
            heapq.heappush(self._waiting, (due, self._pushed, call.slot))

    def due(self, now: int) -> Iterator[CallT]:
        """Yield the calls that are due, each once: who is due again at once waits for his turn."""
        slots = []
        while self._waiting and self._waiting[0][0] <= now:
            slots.append(heapq.heappop(self._waiting)[2])
        for (call,) in slots:
            # One that was pushed twice, since it became due sooner, is yielded at the first.
            if call is not None and call.due is not None and call.due <= now:
                call.due = None
                yield call
