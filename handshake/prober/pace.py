"""The pace: begins calls as many and as fast as asked for, in an event loop that is not its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from handshake.endpoint.timeouts import MAX_WAIT
from handshake.prober.result import Result
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    from handshake.prober.clock import Clock
    from handshake.prober.resolver import Addresses
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint

CONCURRENCY: Final = 32
"""Calls under way at once, unless asked for otherwise: modest, as a guest should be."""

_BURST: Final = NS_PER_SECOND // 50
"""How far a pace that fell behind may catch up: an event loop wakes late now and then."""


class Calls(Protocol):
    """Calls that are under way, and wait for nothing themselves."""

    clock: Clock

    @property
    def active(self) -> int:
        """How many there are."""

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due."""

    def fileno(self) -> int:
        """Return what can be read when there is something to hear, once one has begun."""

    def begin(self, target: Target, remote: Endpoint) -> object:
        """Begin another; return its result where it cannot even be tried."""

    def receive(self) -> None:
        """Do what follows from what has happened."""

    def on_timer(self) -> None:
        """Do what is due."""


class Pace:
    """One run: begins calls, and lets them hear and wake; `ended` takes the results of those over.

    `rate` is how many may begin in a second, None for as many as there can be.
    """

    def __init__(
        self,
        calls: Calls,
        ended: Callable[[], Iterable[Result]],
        addresses: Addresses,
        concurrency: int,
        rate: float | None,
    ) -> None:
        self._calls = calls
        self._ended = ended
        self._addresses = addresses
        self._concurrency = concurrency
        self._interval = 0 if rate is None else round(NS_PER_SECOND / rate)
        self._next_at = 0
        self._results: list[Result] = []
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._reads: int | None = None
        self._error: BaseException | None = None
        addresses.arrived = self._move

    async def results(self) -> list[Result] | None:
        """Return what has come in since the last time, some at least; None at the end."""
        self._move()
        while True:
            if self._error is not None:
                raise self._error
            if self._results:
                found, self._results = self._results, []
                return found
            if self._addresses.over and not self._calls.active:
                return None
            self._changed.clear()
            await self._changed.wait()

    def close(self) -> None:
        """Stop listening to the event loop."""
        if self._reads is not None:
            self._loop.remove_reader(self._reads)
        if self._timer is not None:
            self._timer.cancel()
        self._addresses.arrived = lambda: None

    def _receive(self) -> None:
        try:
            self._calls.receive()
        except Exception as error:  # nobody else to raise to here, either
            self._error = error
        self._move()

    def _move(self) -> None:
        """Do all that can be done now, and see when there will be more."""
        try:
            self._calls.on_timer()
            self._results += self._ended()
            until = self._begin()
        except Exception as error:  # a callback has nobody to raise to: whoever waits is told
            self._error = error
            until = None
        self._results += self._ended()
        if self._results or self._error or self._addresses.over:
            self._changed.set()
        self._wait(until)

    def _begin(self) -> int | None:
        """Begin as many calls as may be; return when the next one may be, if that is known."""
        calls = self._calls
        room = self._concurrency - len(self._results)
        while calls.active < room:
            if self._interval:
                now = calls.clock.now()
                if now < self._next_at:
                    return self._next_at
            entry = self._addresses.next()
            if entry is None:
                return None
            if isinstance(entry, Result):
                self._results.append(entry)
                continue
            if self._interval:
                self._next_at = max(self._next_at, now - _BURST) + self._interval
            call = calls.begin(*entry)
            if isinstance(call, Result):
                self._results.append(call)
            elif self._reads is None:
                self._reads = calls.fileno()
                self._loop.add_reader(self._reads, self._receive)
        return None

    def _wait(self, until: int | None) -> None:
        times = [time for time in (until, self._calls.deadline) if time is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._calls.clock.now()
        left = max(0, min(times, default=now + MAX_WAIT) - now)
        self._timer = self._loop.call_later(min(left, MAX_WAIT) / NS_PER_SECOND, self._move)


async def one_by_one(batches: AsyncGenerator[list[Result], None]) -> AsyncGenerator[Result, None]:
    """Yield the results in these batches."""
    # Left early, they must end at once, and not when somebody comes by to collect them.
    async with aclosing(batches):
        async for several in batches:
            for each in several:
                yield each
