"""The engine: any number of calls in one event loop, at a pace that is asked for."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from handshake.probe.addresses import Addresses
from handshake.probe.patience import SECOND, Patience
from handshake.probe.result import Result
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable

    from handshake.probe.call import Call
    from handshake.probe.exchange import Exchange
    from handshake.probe.manner import Manner
    from handshake.probe.target import Target

CONCURRENCY: Final = 32
"""Calls under way at once, unless asked for otherwise: modest, as a guest should be."""

_BURST: Final = SECOND // 50
"""How far a pace that fell behind may catch up: an event loop wakes late now and then."""


class Engine:
    """Calls many targets at once, each address of each, and tells what became of every call.

    `rate` is how many calls may begin in a second, None for as many as there can be. With
    `attentive` every segment of every call is kept and explained, which costs a millisecond
    a call. `opened` is called as soon as the sockets are open.
    """

    def __init__(
        self,
        *,
        concurrency: int = CONCURRENCY,
        rate: float | None = None,
        patience: Patience | None = None,
        manner: Manner | None = None,
        attentive: bool = False,
        opened: Callable[[], None] | None = None,
    ) -> None:
        self._concurrency = concurrency
        self._rate = rate
        self._patience = patience or Patience()
        self._manner = manner
        self._attentive = attentive
        self._opened = opened

    async def run(self, targets: Iterable[Target]) -> AsyncGenerator[Result, None]:
        """Yield the result of each call as it ends; of a name's addresses IPv6 is called first.

        Targets are taken as they are needed, and nothing is kept of a call that has ended.
        Raises CannotRun where this machine does not let us.
        """
        # Left early, it must end at once, and not when somebody comes by to collect it.
        async with aclosing(self.batches(targets)) as batches:
            async for several in batches:
                for each in several:
                    yield each

    async def batches(self, targets: Iterable[Target]) -> AsyncGenerator[list[Result], None]:
        """Yield the same results, all at once that have come in since the last time."""
        # Scapy and the sockets, only now: who imports this module may want nothing but --help.
        from handshake.probe.exchange import Exchange

        loop = asyncio.get_running_loop()
        how = self._patience, self._manner
        with Exchange(*how, attentive=self._attentive, opened=self._opened) as exchange:
            run = _Run(exchange, Addresses(targets, loop), self._concurrency, self._rate)
            try:
                while (found := await run.results()) is not None:
                    yield found
                await run.linger()
            finally:
                run.close()


def probe_all(
    targets: Iterable[Target],
    *,
    concurrency: int = CONCURRENCY,
    rate: float | None = None,
    patience: Patience | None = None,
    manner: Manner | None = None,
    attentive: bool = False,
    opened: Callable[[], None] | None = None,
) -> Generator[Result, None, None]:
    """Yield what `Engine.run` does, for those who have no event loop of their own."""
    engine = Engine(
        concurrency=concurrency,
        rate=rate,
        patience=patience,
        manner=manner,
        attentive=attentive,
        opened=opened,
    )
    with asyncio.Runner() as runner:
        batches = engine.batches(targets)

        async def next_batch() -> list[Result]:
            return await anext(batches, [])

        async def end() -> None:
            await batches.aclose()

        try:
            while several := runner.run(next_batch()):
                yield from several
        finally:
            runner.run(end())


class _Run:
    """One run of the engine: begins calls, and lets the exchange hear and wake."""

    def __init__(
        self, exchange: Exchange, addresses: Addresses, concurrency: int, rate: float | None
    ) -> None:
        self._exchange = exchange
        self._addresses = addresses
        self._concurrency = concurrency
        self._interval = 0 if rate is None else round(SECOND / rate)
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
            if self._addresses.over and not self._exchange.active:
                return None
            self._changed.clear()
            await self._changed.wait()

    async def linger(self) -> None:
        """Go on listening for a moment, so that a FIN that comes again is answered."""
        while (left := self._exchange.lingers_until - self._exchange.clock.now()) > 0:
            await asyncio.sleep(left / SECOND)

    def close(self) -> None:
        """Stop listening to the event loop."""
        if self._reads is not None:
            self._loop.remove_reader(self._reads)
        if self._timer is not None:
            self._timer.cancel()
        self._addresses.arrived = lambda: None

    def _hear(self) -> None:
        try:
            self._exchange.hear()
        except OSError as error:
            self._error = error
        self._move()

    def _move(self) -> None:
        """Do all that can be done now, and see when there will be more."""
        try:
            self._exchange.wake()
            self._take()
            until = self._begin()
        except Exception as error:  # a callback has nobody to raise to: whoever waits is told
            self._error = error
            until = None
        self._take()
        if self._results or self._error or self._addresses.over:
            self._changed.set()
        self._wait(until)

    def _begin(self) -> int | None:
        """Begin as many calls as may be; return when the next one may be, if that is known."""
        exchange = self._exchange
        room = self._concurrency - len(self._results)
        while exchange.active < room:
            if self._interval:
                now = exchange.clock.now()
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
            call = exchange.begin(*entry)
            if isinstance(call, Result):
                self._results.append(call)
            elif self._reads is None:
                self._reads = exchange.fileno()
                self._loop.add_reader(self._reads, self._hear)
        return None

    def _take(self) -> None:
        ended = self._exchange.ended
        while ended:
            call = ended.popleft()
            tracker = None if call.segments is None else _tracked(call)
            self._results.append(call.result(self._exchange.link.decode, tracker))

    def _wait(self, until: int | None) -> None:
        times = [time for time in (until, self._exchange.deadline) if time is not None]
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if times:
            left = max(0, min(times) - self._exchange.clock.now()) / SECOND
            self._timer = self._loop.call_later(left, self._move)


def _tracked(call: Call) -> Tracker:
    """Return a tracker that has heard all segments of the call."""
    tracker = Tracker()
    for each in call.segments or ():
        tracker.feed(each)
    return tracker
